#include "formats/vhdx/space_scan.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

bool is_anchor(const BatEntry& entry) {
  const PayloadState state = entry.payload_state();
  return entry.file_offset != 0 &&
         (state == PayloadState::undefined || state == PayloadState::unmapped);
}

Result<SpaceScan> SpaceScan::begin(const Layout& layout) {
  SpaceScan scan(layout.file_size);
  VDISK_TRY(scan.take(0, 0, header_section_size));
  const Header& header = layout.headers.current;
  VDISK_TRY(scan.take(layout.headers.current_offset(), header.log_offset, header.log_length));
  for (const Region& region : layout.regions.regions) {
    VDISK_TRY(
        scan.take(region_table_offsets[layout.regions.used_copy], region.offset, region.length));
  }
  return scan;
}

Status SpaceScan::add(const Layout& layout, const EntryRun& run) {
  for (u64 index = run.first_index; index < run.end_index(); ++index) {
    const u64 raw = run.entries[index - run.first_index];
    if (layout.bat_layout.is_bitmap_index(index)) {
      VDISK_TRY(add_bitmap(layout, index, raw));
    } else if (raw != 0 && layout.bat_layout.is_block_index(index)) {
      VDISK_TRY(add_payload(layout, index, raw));
    }
  }
  return {};
}

Status SpaceScan::finish(const Layout& layout) const {
  return partial_block_ ? validate_bitmap_of_partial(layout, *partial_block_, {}) : Status();
}

Status SpaceScan::add_payload(const Layout& layout, u64 index, u64 raw) {
  const u64 block = layout.bat_layout.block_of_index(index);
  VDISK_ASSIGN(const BatEntry entry, validate_payload_entry(layout, block, raw));
  saw_anchors_ = saw_anchors_ || is_anchor(entry);
  if (!entry.has_data()) return {};
  if (entry.payload_state() == PayloadState::partially_present) {
    const bool same_chunk = !partial_block_ || layout.bat_layout.chunk_of_block(*partial_block_) ==
                                                   layout.bat_layout.chunk_of_block(block);
    if (!same_chunk) VDISK_TRY(finish(layout));
    partial_block_ = block;
  }
  return take(bat_entry_offset(layout, index), entry.file_offset, layout.bat_layout.block_size());
}

Status SpaceScan::add_bitmap(const Layout& layout, u64 index, u64 raw) {
  if (!layout.has_parent()) return {};  // FORMATS 5.3, quirk 25
  const u64 chunk = layout.bat_layout.chunk_of_index(index);
  VDISK_ASSIGN(const BatEntry entry, validate_bitmap_entry(layout, chunk, raw));
  if (partial_block_) {
    const bool own = layout.bat_layout.chunk_of_block(*partial_block_) == chunk;
    VDISK_TRY(validate_bitmap_of_partial(layout, *partial_block_, own ? entry : BatEntry{}));
    partial_block_.reset();
  }
  if (entry.state != static_cast<u8>(BitmapState::present)) return {};
  return take(bat_entry_offset(layout, index), entry.file_offset, sector_bitmap_size);
}

void SpaceScan::add_anchors(const Layout& layout, const EntryRun& run) {
  const u64 length = layout.bat_layout.block_size();
  for (u64 index = run.first_index; index < run.end_index(); ++index) {
    const BatEntry entry = decode_bat_entry(run.entries[index - run.first_index]);
    if (!layout.bat_layout.is_block_index(index) || !is_anchor(entry)) continue;
    const bool inside = lies_within(entry.file_offset, length, 0, layout.file_size);
    anchors_usable_ = anchors_usable_ && inside && space_.occupy(entry.file_offset, length);
  }
}

Status SpaceScan::take(u64 place, u64 offset, u64 length) {
  if (space_.occupy(offset, length)) return {};
  return broken(40, Errc::bat_invalid, place,
                fmt::format("entry at {:#x}: {:#x} bytes at {:#x} overlap another structure, "
                            "expected space of its own for writing",
                            place, length, offset));
}

}  // namespace vdisk::vhdx
