/// BlockMap: the map of a dynamic or differencing image - BAT, sector bitmaps, and blocks that are
/// reserved but not yet visible.
///
/// Invariants: a reserved block is unallocated in the table; bitmaps of differencing images have
/// bits only for sectors that were committed. Threads: none of its own; the owner's lock guards it.
#pragma once

#include <optional>
#include <unordered_map>

#include "formats/vhd/block_table.h"
#include "formats/vhd/layout.h"
#include "formats/vhd/sector_bits.h"

namespace vdisk::vhd {

/// Copies of the metadata pages that a flush has to write.
struct DirtyMetadata {
  std::vector<DirtyPage> bitmaps;
  std::vector<DirtyPage> table;
  [[nodiscard]] bool empty() const { return bitmaps.empty() && table.empty(); }
};

class BlockMap {
 public:
  BlockMap(const File& file, const Layout& layout, u64 cache_bytes);

  /// As Image::extent_at.
  Result<Extent> extent_at(u64 offset, u64 limit);
  /// File offset of the block's bitmap; empty when it is not allocated. V26 is checked.
  Result<std::optional<u64>> stored_place(u64 block);
  /// The same, or the place of a reserved block.
  Result<std::optional<u64>> place_of(u64 block);
  Result<u64> allocated_count() { return table_.allocated_count(); }

  /// Remembers a place for a block that is not allocated.
  void reserve(u64 block, u64 place);
  /// Makes sectors of a block visible. Does nothing when the block does not lie at `place` any
  /// more: it was discarded meanwhile.
  Status commit(u64 block, u64 place, BitRange sectors);
  /// Forgets a stored block; its space is the caller's.
  Status release(u64 block);
  /// A stored block lies elsewhere from now on, its bitmap with it.
  Status relocate(u64 block, FileRange from, u64 to);
  /// How many blocks from `block` on are neither stored nor reserved, at most `limit`.
  Result<u64> unallocated_run(u64 block, u64 limit) { return table_.unallocated_run(block, limit); }

  [[nodiscard]] const std::unordered_map<u64, u64>& reserved() const { return reserved_; }
  [[nodiscard]] u64 dirty_bytes() const;
  [[nodiscard]] DirtyMetadata dirty() const;
  void mark_clean(const DirtyMetadata& written);
  /// The end footer moved: blocks may lie up to here.
  void set_data_limit(u64 data_limit) { data_limit_ = data_limit; }

 private:
  [[nodiscard]] Result<Extent> piece_at(u64 offset, u64 limit);
  Result<Extent> stored_piece(u64 offset, u64 limit, u64 place);
  Status commit_bits(u64 place, BitRange sectors);
  [[nodiscard]] u64 bits_in_page(u64 first_sector, u64 limit) const;

  bool differencing_;
  u64 virtual_size_;
  u64 data_limit_;
  BlockShape shape_;
  std::vector<FileRange> forbidden_;
  mutable BlockTable table_;
  mutable PageCache bitmaps_;
  std::unordered_map<u64, u64> reserved_;  // block -> place
};

}  // namespace vdisk::vhd
