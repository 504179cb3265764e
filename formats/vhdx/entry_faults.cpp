#include "formats/vhdx/entry_faults.h"

#include "base/bytes.h"

namespace vdisk::vhdx {

EntryFault EntryFaults::of_payload(u64 block, u64 raw) const {
  if (!reserved_bits_clear(raw)) return EntryFault::reserved_bits;
  const BatEntry entry = decode_bat_entry(raw);
  switch (entry.payload_state()) {
    case PayloadState::not_present:
    case PayloadState::undefined:
    case PayloadState::zero:
    case PayloadState::unmapped: return EntryFault::none;
    case PayloadState::fully_present: break;
    case PayloadState::partially_present:
      if (!layout_.has_parent()) return EntryFault::state;
      break;
    default: return EntryFault::state;
  }
  const BatLayout& bat = layout_.bat_layout;
  return of_extent(entry.file_offset, bat.block_size(), bat.payload_length(block));
}

EntryFault EntryFaults::of_bitmap(u64 raw) const {
  if (!reserved_bits_clear(raw)) return EntryFault::reserved_bits;
  const BatEntry entry = decode_bat_entry(raw);
  const auto state = static_cast<BitmapState>(entry.state);
  if (state == BitmapState::not_present) return EntryFault::none;
  if (state != BitmapState::present) return EntryFault::state;
  return of_extent(entry.file_offset, sector_bitmap_size, sector_bitmap_size);
}

EntryFault EntryFaults::of_extent(u64 offset, u64 length, u64 needed) const {
  if (offset < header_section_size) return EntryFault::in_header;
  if (!lies_within(offset, needed, 0, layout_.file_size)) return EntryFault::behind_end;
  return areas_.overlapping(offset, length) ? EntryFault::over_fixed_area : EntryFault::none;
}

}  // namespace vdisk::vhdx
