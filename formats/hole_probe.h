/// Asks a host file whether ranges are holes, remembering the last answer: ranges asked for in the
/// order of the file cost one call for each hole.
#pragma once

#include "vdisk/file.h"

namespace vdisk {

class HoleProbe {
 public:
  explicit HoleProbe(const File& file) : file_(file) {}

  /// Whether all of the range reads as zeros without taking space. False where the host cannot
  /// tell, and once max_questions were asked: the cost stays bounded whatever the ranges are.
  Result<bool> is_hole(u64 offset, u64 length);
  static constexpr u64 max_questions = u64{1} << 18;

 private:
  const File& file_;
  u64 begin_ = 0;  ///< [begin_, end_) is a hole, or is data
  u64 end_ = 0;
  bool hole_ = false;
  u64 questions_ = 0;
};

/// Whether a range inside the file reads as zeros; its holes are not read.
[[nodiscard]] Result<bool> reads_as_zeros(const File& file, u64 offset, u64 length);

}  // namespace vdisk
