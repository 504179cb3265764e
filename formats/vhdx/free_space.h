/// Which MiB of the file are taken: the allocator of payload and bitmap blocks.
///
/// One bit per MiB (everything in a VHDX begins on a MiB boundary, FORMATS 2.1), for at most
/// `tracked_mib` of them: 16 MiB of memory for a file of 128 TiB, twice the largest disk. Behind
/// that, space is only appended and overlaps are not seen.
/// Invariant: nothing at or behind `append_offset()` is taken, and it was never written by anybody:
/// it reads as zeros. Threads: none of its own; the owner's lock guards it.
#pragma once

#include <optional>
#include <vector>

#include "vdisk/types.h"

namespace vdisk::vhdx {

/// Space for a new block.
struct Place {
  u64 offset = 0;
  bool recycled = false;  ///< may hold old bytes: must be zeroed before anybody sees it
};

class FreeSpace {
 public:
  /// 128 TiB: the largest disk needs half of it; the rest is for files with holes.
  static constexpr u64 tracked_mib = u64{1} << 27;

  explicit FreeSpace(u64 file_size);

  /// Marks a range as taken. False, and nothing is changed, when a part of it is taken already.
  [[nodiscard]] bool occupy(u64 offset, u64 length);
  /// The first free range inside the part of the file in use, else room at its end.
  [[nodiscard]] Place allocate(u64 length);
  /// The first free range that ends at or before `limit`; it may hold old bytes.
  [[nodiscard]] std::optional<u64> allocate_below(u64 length, u64 limit);
  /// Room at the end, which reads as zeros.
  [[nodiscard]] Place append(u64 length);
  void release(u64 offset, u64 length);

  /// The smallest file size that holds everything taken; a multiple of 1 MiB.
  [[nodiscard]] u64 used_end() const;
  /// Bytes before used_end() that nothing has taken.
  [[nodiscard]] u64 unused_bytes() const;
  [[nodiscard]] u64 append_offset() const { return append_offset_; }

 private:
  [[nodiscard]] bool is_taken(u64 index) const;
  [[nodiscard]] bool any_taken(u64 first, u64 end) const;
  [[nodiscard]] u64 next_free(u64 index, u64 end) const;
  void mark(u64 first, u64 end, bool taken);
  [[nodiscard]] std::optional<u64> find_hole(u64 count) const;
  void take_hole(u64 first, u64 count);

  std::vector<u64> words_;  ///< bit set: taken
  u64 append_offset_;
  u64 first_free_ = 0;          ///< no MiB below this index is free
  u64 untracked_used_end_ = 0;  ///< end of what is taken behind the tracked part
};

}  // namespace vdisk::vhdx
