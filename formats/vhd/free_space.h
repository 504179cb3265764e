/// FreeSpace: where new blocks may go - gaps inside the file first, then the tail before the end
/// footer.
///
/// Invariants: nothing stored, reserved or in quarantine lies in a gap or in the tail. Gaps that no
/// block can fit in are forgotten. Threads: none of its own.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "formats/vhd/block_scan.h"

namespace vdisk::vhd {

class FreeSpace {
 public:
  /// From the sorted blocks of an image.
  FreeSpace(const std::vector<u32>& sorted_blocks, const Layout& layout);

  /// Place of a new block's bitmap; empty when the file has to grow first.
  std::optional<u64> take();
  /// The end footer moved to `footer_offset`: the tail is longer.
  void grow(u64 footer_offset) { tail_.length = footer_offset - tail_.offset; }
  /// Takes the first `length` bytes of the tail, for metadata; empty when it is too short.
  std::optional<u64> take_from_tail(u64 length);
  /// Space that may be used again.
  void give(FileRange range);
  /// A range that is used from now on.
  void withdraw(FileRange range);

  /// Where the unused end of the file begins.
  [[nodiscard]] u64 tail_offset() const { return tail_.offset; }

 private:
  void keep_gap(u64 begin, u64 end);
  std::optional<u64> take_from_gap();

  BlockShape shape_;
  std::map<u64, u64> gaps_;  // offset -> length
  u64 next_gap_ = 0;         // no gap before this one fits an aligned block
  FileRange tail_;
};

}  // namespace vdisk::vhd
