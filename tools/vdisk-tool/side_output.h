/// A file that a verb writes beside its result: a manifest, a map, an undo file. Everything that
/// can be wrong with its name is noticed before the work begins, and it never takes the place of a
/// disk image.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "vdisk/file.h"

namespace vdisk::tool {

struct SideOutputRequest {
  std::filesystem::path path;
  bool replace = false;
  /// Files that the verb reads or makes; they need not exist.
  std::vector<std::filesystem::path> others = {};
};

class SideOutput {
 public:
  /// Begins the file under a temporary name, which goes when this object does. Errors: same_file
  /// (one of the others, under whatever name, or an image), file_exists, not_regular, those of
  /// making a file there.
  static Result<SideOutput> prepare(const SideOutputRequest& request);

  using Put = std::function<void(std::string_view)>;
  /// Writes what `produce` puts, and gives it its name when it is complete and durable.
  Status save(const std::function<void(const Put&)>& produce);

 private:
  SideOutput(std::shared_ptr<FileSystem> files, std::shared_ptr<File> file,
             const SideOutputRequest& request)
      : files_(std::move(files)),
        file_(std::move(file)),
        path_(request.path),
        replace_(request.replace) {}

  std::shared_ptr<FileSystem> files_;
  std::shared_ptr<File> file_;
  std::filesystem::path path_;
  bool replace_;
};

}  // namespace vdisk::tool
