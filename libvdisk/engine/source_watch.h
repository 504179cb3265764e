/// Whether the files of an image changed since they were read, by their stamps.
///
/// A stamp proves nothing about changes within the same tick of the file system's clock. It is
/// young until that is certainly over, and is not accepted before.
#pragma once

#include <filesystem>
#include <vector>

#include "vdisk/mirror.h"

namespace vdisk {

class SourceWatch {
 public:
  /// What one look at the files saw.
  struct Look {
    std::vector<FileStamp> stamps;  ///< of the paths, in their order
    i64 nanoseconds = 0;            ///< when, since 1970
    [[nodiscard]] bool young_at(i64 moment) const;
    [[nodiscard]] bool young() const { return young_at(nanoseconds); }
  };

  explicit SourceWatch(StampOf stamp_of) : stamp_of_(std::move(stamp_of)) {}

  /// Looks at these files from now on; what was accepted before is forgotten if they are others.
  void watch(std::vector<std::filesystem::path> paths);
  /// Errors: those of the stamps, if one of the files cannot be found, say.
  Result<Look> look() const;
  [[nodiscard]] bool has_changed(const Look& look) const;
  /// What the files held at `look` was read. Unless it was too young, the next look shows a change
  /// only if there was one. `locked`: from then until now nobody was able to change anything.
  void accept(const Look& look, bool locked);

 private:
  StampOf stamp_of_;
  std::vector<std::filesystem::path> paths_;
  std::vector<FileStamp> accepted_;
};

}  // namespace vdisk
