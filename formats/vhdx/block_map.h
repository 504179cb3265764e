/// The map of a VHDX: BAT and sector bitmaps through a bounded cache (FORMATS 2.6).
///
/// The table is never held as a whole: pages that the host keeps as holes are skipped without a
/// read, so that a sparse table of 513 MiB costs no more than a small one. Entries are validated
/// when they are used. Threads: none of its own; the image's metadata lock guards it.
#pragma once

#include <set>
#include <vector>

#include "formats/page_cache.h"
#include "formats/vhdx/layout.h"
#include "vdisk/extent.h"

namespace vdisk::vhdx {

/// Raw entries that follow each other in the BAT.
struct EntryRun {
  u64 first_index = 0;
  std::vector<u64> entries;  ///< at most one page; empty: none but zeros up to the end asked for
  [[nodiscard]] u64 end_index() const { return first_index + entries.size(); }
  /// Entries of zero from `index` on, at most a page of them.
  [[nodiscard]] static EntryRun zeros(u64 index, u64 end_index);
};

/// A range of sectors inside one payload block.
struct BlockSectors {
  u64 block = 0;
  u64 first = 0;  ///< from the start of the block
  u64 count = 0;
};

class BlockMap {
 public:
  BlockMap(const File& file, Layout layout, u64 cache_bytes);

  [[nodiscard]] const Layout& layout() const { return layout_; }
  /// The file grew or was cut: extents are validated against this size.
  void set_file_size(u64 size) { layout_.file_size = size; }
  void set_metadata(Metadata metadata) { layout_.metadata = std::move(metadata); }
  /// The metadata region is somewhere else now.
  void move_metadata(const Region& region, Metadata metadata);
  /// The disk has another size now, and its BAT perhaps another place.
  void resize(u64 virtual_size, const Region& bat);

  /// Image::extent_at. `offset` < virtual size, `limit` > 0.
  Result<Extent> extent_at(u64 offset, u64 limit);
  /// The validated entry of a payload block.
  Result<BatEntry> payload(u64 block);
  /// The validated entry of a chunk's sector bitmap. Differencing images only.
  Result<BatEntry> bitmap(u64 chunk);
  /// The raw entries from `index` on, behind what is known to be zero; `end_index` bounds both.
  Result<EntryRun> next_entries(u64 index, u64 end_index);

  /// The same up to the end of the page, without passing anything over.
  Result<EntryRun> entries_of_page(u64 index, u64 end_index);

  Status set_entry(u64 index, BatEntry entry);
  /// Forgets what is kept in memory of bitmaps that lie in this range no more.
  void forget(u64 offset, u64 length) { cache_.drop(offset, length); }
  Status set_payload(u64 block, PayloadState state, u64 file_offset);
  /// Gives the bits of these sectors a value. True when a bit has changed.
  Result<bool> set_sectors(const BlockSectors& sectors, bool set);

  [[nodiscard]] std::size_t dirty_count() const { return cache_.dirty_count(); }
  /// Copies of the dirty pages in an order in which every prefix is a valid image: sector bitmaps,
  /// then the BAT from its end: a bitmap's entry comes before the blocks that need it.
  [[nodiscard]] std::vector<DirtyPage> dirty_pages() const;
  /// These pages are in the file now.
  void written(std::span<const DirtyPage> pages);

 private:
  Result<u64> raw_entry(u64 index);
  Result<BatEntry> validated_payload(u64 block, u64 raw);
  Result<Extent> piece_at(u64 offset, u64 end);
  Result<Extent> absent_run(u64 offset, u64 end);
  Result<Extent> bitmap_run(u64 offset, u64 end, const BatEntry& entry);
  /// The first index at or after `index` whose page may hold something; at most `end_index`.
  Result<u64> skip_holes(u64 index, u64 end_index);
  Result<Hole> hole_from(u64 offset);
  /// The bitmap of the chunk that the block belongs to, which must be there.
  Result<u64> bitmap_place(u64 block);

  const File& file_;
  Layout layout_;
  PageCache cache_;
  std::set<u64> changed_;  ///< BAT pages whose change is not in the file: never skipped as holes
  u64 hole_asked_from_ = 0;
  Hole known_hole_;  ///< the first one at or after hole_asked_from_
  bool hole_known_ = false;
};

}  // namespace vdisk::vhdx
