/// Which MiBs of a file are taken: one bit each, so that a file of 256 TiB needs 32 MiB.
#pragma once

#include <optional>
#include <vector>

#include "vdisk/types.h"

namespace vdisk::vhdx {

class FileMap {
 public:
  /// For a file of this many bytes; what lies beyond largest_file_size is not kept.
  explicit FileMap(u64 file_size);

  /// Takes a range that begins at a multiple of 1 MiB. The first place that was taken before, if
  /// any; everything is taken afterwards.
  std::optional<u64> claim(u64 offset, u64 length);
  /// Whether nobody took any of it; what lies behind the end of the file is free.
  [[nodiscard]] bool is_free(u64 offset, u64 length) const;
  /// End of the last MiB that somebody took, in bytes.
  [[nodiscard]] u64 used_end() const;
  /// Whole MiBs of the file that nobody took.
  [[nodiscard]] u64 free_count() const;
  /// The first of them, in bytes.
  [[nodiscard]] std::optional<u64> first_free() const;

 private:
  u64 whole_count_;          ///< MiBs that the file has in full
  std::vector<bool> taken_;  ///< one more when the file ends inside a MiB
};

}  // namespace vdisk::vhdx
