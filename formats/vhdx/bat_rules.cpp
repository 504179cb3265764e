#include "formats/vhdx/bat_rules.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Where an extent may not lie: header section, log, regions (X40).
Status validate_free(const Layout& layout, u64 place, u64 offset, u64 length) {
  const Header& header = layout.headers.current;
  const auto refuse = [&](u64 area) {
    return broken(40, Errc::bat_invalid, place,
                  fmt::format("BAT entry at {:#x}: {:#x} bytes at {:#x} over the area at {:#x}, "
                              "expected free space",
                              place, length, offset, area));
  };
  if (overlaps(offset, length, header.log_offset, header.log_length)) {
    return refuse(header.log_offset);
  }
  for (const Region& region : layout.regions.regions) {
    if (overlaps(offset, length, region.offset, region.length)) return refuse(region.offset);
  }
  return {};
}

/// A block behind the end of the file: the file was cut if everything the disk can hold would
/// reach that far; an entry beyond that is garbage.
Errc place_error_of(const Layout& layout, u64 offset, u64 length) {
  const BatLayout& bat = layout.bat_layout;
  const u64 largest_content =
      bat.payload_block_count() * bat.block_size() + bat.chunk_count() * sector_bitmap_size;
  return lies_within(offset, length, 0, layout.file_size + largest_content)
             ? Errc::file_size_invalid
             : Errc::bat_invalid;
}

/// X39: `needed` bytes of the `length` must be inside the file.
Status validate_extent(const Layout& layout, u64 place, u64 offset, u64 length, u64 needed) {
  if (offset < header_section_size) {
    return broken(
        39, Errc::bat_invalid, place,
        fmt::format("BAT entry at {:#x}: offset {:#x}, expected at least 1 MiB", place, offset));
  }
  if (!lies_within(offset, needed, 0, layout.file_size)) {
    return broken(39, place_error_of(layout, offset, length), place,
                  fmt::format("BAT entry at {:#x}: {:#x} bytes at {:#x}, expected inside the file "
                              "of {:#x} bytes",
                              place, needed, offset, layout.file_size));
  }
  return validate_free(layout, place, offset, length);
}

Status validate_reserved(u64 place, u64 raw) {
  if (reserved_bits_clear(raw)) return {};
  return broken(
      37, Errc::bat_invalid, place,
      fmt::format("BAT entry at {:#x}: {:#x}, expected bits 3 to 19 to be 0", place, raw));
}

bool is_valid_state(const Layout& layout, const BatEntry& entry) {
  switch (entry.payload_state()) {
    case PayloadState::not_present:
    case PayloadState::undefined:
    case PayloadState::zero:
    case PayloadState::unmapped:
    case PayloadState::fully_present: return true;
    case PayloadState::partially_present: return layout.has_parent();
  }
  return false;
}

}  // namespace

u64 bat_entry_offset(const Layout& layout, u64 index) {
  return layout.regions.bat.offset + index * bat_entry_size;
}

Result<BatEntry> validate_payload_entry(const Layout& layout, u64 block, u64 raw) {
  const u64 place = bat_entry_offset(layout, layout.bat_layout.payload_index(block));
  const BatEntry entry = decode_bat_entry(raw);
  VDISK_TRY(validate_reserved(place, raw));
  if (!is_valid_state(layout, entry)) {
    return broken(
        38, Errc::bat_invalid, place,
        fmt::format("BAT entry at {:#x}: state {} of block {}, expected {}", place, entry.state,
                    block, layout.has_parent() ? "0 to 3, 6 or 7" : "0 to 3 or 6"));
  }
  if (!entry.has_data()) return entry;
  VDISK_TRY(validate_extent(layout, place, entry.file_offset, layout.bat_layout.block_size(),
                            layout.bat_layout.payload_length(block)));
  return entry;
}

Result<BatEntry> validate_bitmap_entry(const Layout& layout, u64 chunk, u64 raw) {
  const u64 place = bat_entry_offset(layout, layout.bat_layout.bitmap_index(chunk));
  const BatEntry entry = decode_bat_entry(raw);
  VDISK_TRY(validate_reserved(place, raw));
  const auto state = static_cast<BitmapState>(entry.state);
  if (state == BitmapState::not_present) return entry;
  if (state != BitmapState::present) {
    return broken(42, Errc::bat_invalid, place,
                  fmt::format("BAT entry at {:#x}: sector bitmap state {}, expected 0 or 6", place,
                              entry.state));
  }
  VDISK_TRY(
      validate_extent(layout, place, entry.file_offset, sector_bitmap_size, sector_bitmap_size));
  return entry;
}

Status validate_bitmap_of_partial(const Layout& layout, u64 block, const BatEntry& bitmap) {
  if (static_cast<BitmapState>(bitmap.state) == BitmapState::present) return {};
  const u64 chunk = layout.bat_layout.chunk_of_block(block);
  const u64 place = bat_entry_offset(layout, layout.bat_layout.bitmap_index(chunk));
  return broken(43, Errc::bitmap_mismatch, place,
                fmt::format("BAT entry at {:#x}: no sector bitmap, expected one for the partially "
                            "present block {}",
                            place, block));
}

}  // namespace vdisk::vhdx
