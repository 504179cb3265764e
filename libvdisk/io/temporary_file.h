/// A file under construction: it has a recognisable temporary name until it is published, and
/// disappears with its handle if it never is.
#pragma once

#include <filesystem>

#include "io/posix_file.h"

namespace vdisk {

class TemporaryFile : public PosixFile {
 public:
  /// `.<name>.vdisk-tmp-<random>` in the directory: new and writable.
  static Result<std::shared_ptr<File>> create(const std::filesystem::path& directory,
                                              const std::string& name);
  TemporaryFile(Descriptor descriptor, std::filesystem::path path);
  ~TemporaryFile() override;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void published_as(const std::filesystem::path& target);

 private:
  std::filesystem::path path_;  ///< empty once published
};

}  // namespace vdisk
