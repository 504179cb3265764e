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
  /// Place of a block before `limit`, for bytes that replace everything there. An unaligned block
  /// of another program may stay unaligned: its hole is often too short for more.
  std::optional<u64> take_below(u64 limit, bool unaligned);
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
  /// Bytes of the gaps in which a block fits.
  [[nodiscard]] u64 gap_bytes() const;

 private:
  void keep_gap(u64 begin, u64 end);
  using Gaps = std::map<u64, u64>;  // offset -> length
  std::optional<u64> take_from_gap(u64 limit);
  std::optional<u64> take_at(Gaps::iterator gap, u64 place);

  BlockShape shape_;
  Gaps gaps_;
  u64 next_gap_ = 0;  // no gap before this one fits an aligned block
  FileRange tail_;
};

}  // namespace vdisk::vhd
