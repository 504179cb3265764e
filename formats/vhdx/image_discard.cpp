// Discard of a VHDX: whole blocks become ZERO or UNMAPPED and give their space up (FORMATS 2.9).
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

Result<u64> VhdxImage::discard(u64 offset, u64 length, State to) {
  VDISK_TRY(require_writable());
  VDISK_TRY(require_range(offset, length));
  if (to == State::data) {
    return fail(Errc::invalid_argument, "VHDX: discard to data, expected zero or absent");
  }
  if (is_fixed()) return to == State::zero ? 0 : length;
  VDISK_TRY(begin(Visibility::guest_data));
  VDISK_TRY(flush_when_many_dirty());
  const MetadataLock lock(mutex_);
  u64 done = 0;
  while (done < length && map_.dirty_count() < dirty_limit_) {
    const auto dealt_with = discard_piece(offset + done, offset + length, to);
    if (!dealt_with && done == 0) return std::unexpected(dealt_with.error());
    if (!dealt_with || *dealt_with == 0) break;
    done += *dealt_with;
  }
  return done;
}

/// How much from `offset` on is dealt with: a block, a part of one, or a run that is zero anyway.
Result<u64> VhdxImage::discard_piece(u64 offset, u64 end, State to) {
  const BatLayout& bat = map_.layout().bat_layout;
  const u64 block = offset / bat.block_size();
  const u64 rest_of_block = bat.payload_length(block) - offset % bat.block_size();
  const u64 length = std::min(end - offset, rest_of_block);
  VDISK_ASSIGN(Extent extent, map_.extent_at(offset, length));
  if (extent.state == State::absent && !map_.layout().has_parent()) {
    VDISK_ASSIGN(extent, map_.extent_at(offset, end - offset));
    return extent.length;
  }
  if (length == bat.payload_length(block)) {
    VDISK_TRY(drop_block(block, to));
    return length;
  }
  // A part of a block: nothing to say in the map, and for `absent` nothing that must be said.
  if (to == State::absent) return length;
  return extent.state == State::zero ? std::min(extent.length, length) : 0;
}

Status VhdxImage::drop_block(u64 block, State to) {
  VDISK_ASSIGN(const BatEntry entry, map_.payload(block));
  // Somebody who is about to write there has taken the old place over.
  const bool anchored = allocator_->keeps_anchor(entry) && !allocator_->has_pending(block);
  const bool reads_zero = !entry.has_data() && entry.payload_state() != PayloadState::not_present;
  if (to == State::absent && reads_zero && !is_anchor(entry)) return {};
  if (entry.payload_state() == PayloadState::zero) return {};
  VDISK_TRY(
      map_.set_payload(block, to == State::zero ? PayloadState::zero : PayloadState::unmapped, 0));
  if (entry.has_data() || anchored) {
    quarantine_.add(entry.file_offset, map_.layout().bat_layout.block_size());
  }
  return {};
}

}  // namespace vdisk::vhdx
