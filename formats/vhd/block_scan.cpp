/// Two passes over the BAT: count, then collect, so that the list never grows by copying.
#include "formats/vhd/block_scan.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

namespace {

Result<u64> count_allocated(const File& file, const Layout& layout) {
  u64 allocated = 0;
  VDISK_TRY(
      for_each_entry(file, layout.header.table_offset, layout.block_count, [&](u64, u32 sector) {
        if (sector != unallocated) ++allocated;
        return Status();
      }));
  return allocated;
}

/// Metadata ranges, sorted, with the footer as the last one.
std::vector<FileRange> sorted_metadata(const Layout& layout) {
  std::vector<FileRange> ranges = metadata_ranges(layout);
  std::ranges::sort(ranges, {}, &FileRange::offset);
  return ranges;
}

}  // namespace

Result<std::vector<u32>> scan_blocks(const File& file, const Layout& layout,
                                     const BadEntryVisitor& on_bad) {
  VDISK_ASSIGN(const u64 allocated, count_allocated(file, layout));
  std::vector<u32> blocks;
  blocks.reserve(allocated);
  const BlockShape shape = block_shape(layout);
  const std::vector<FileRange> forbidden = metadata_ranges(layout);
  const u64 table = layout.header.table_offset;
  VDISK_TRY(for_each_entry(file, table, layout.block_count, [&](u64 index, u32 sector) -> Status {
    if (sector == unallocated) return {};
    if (!is_sound_entry(sector, layout.footer_offset, shape, forbidden)) {
      return on_bad(sector, {index, table, layout.footer_offset});
    }
    blocks.push_back(sector);
    return {};
  }));
  std::ranges::sort(blocks);
  return blocks;
}

Result<std::vector<u32>> scan_for_writing(const File& file, const Layout& layout) {
  const auto refuse = [&](u32 sector, const EntryPlace& place) {
    return validate_entry(sector, place, block_shape(layout), metadata_ranges(layout));
  };
  VDISK_ASSIGN(auto blocks, scan_blocks(file, layout, refuse));
  const u64 sectors = block_shape(layout).footprint() / sector_size;
  for (std::size_t n = 1; n < blocks.size(); ++n) {
    if (blocks[n] - blocks[n - 1] >= sectors) continue;
    const u64 offset = u64{blocks[n]} * sector_size;
    return fail_at(offset, Errc::bat_invalid,
                   fmt::format("block at {:#x}: overlaps the block at {:#x}, expected free space",
                               offset, u64{blocks[n - 1]} * sector_size));
  }
  return blocks;
}

void for_each_gap(const std::vector<u32>& sorted_blocks, const Layout& layout,
                  const RangeVisitor& visit) {
  const std::vector<FileRange> metadata = sorted_metadata(layout);
  const u64 footprint = block_shape(layout).footprint();
  auto block = sorted_blocks.begin();
  auto range = metadata.begin();
  u64 at = 0;
  while (at < layout.footer_offset) {
    FileRange next{layout.footer_offset, 0};
    if (range != metadata.end() && range->offset < next.offset) next = *range;
    const bool from_block = block != sorted_blocks.end() && u64{*block} * sector_size < next.offset;
    if (from_block) next = {u64{*block} * sector_size, footprint};
    if (next.offset > at) visit({at, next.offset - at});
    if (next.length == 0) return;
    from_block ? (void)++block : (void)++range;
    at = std::max(at, round_up(next.end(), sector_size));
  }
}

u64 aligned_place(u64 from, const BlockShape& shape) {
  return round_up(from + shape.bitmap_bytes, data_alignment) - shape.bitmap_bytes;
}

}  // namespace vdisk::vhd
