// Reserve and commit of a VHDX: the transitions of FORMATS 2.6.1.
#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"

namespace vdisk::vhdx {

/// The part of a guest range that lies in one block.
struct VhdxImage::Piece {
  u64 block = 0;
  u64 offset = 0;  ///< guest offset
  u64 length = 0;
  u64 in_block = 0;    ///< bytes from the start of the block
  bool whole = false;  ///< everything that the disk has of the block
};

VhdxImage::Piece VhdxImage::piece_of(u64 offset, u64 end) const {
  const BatLayout& bat = map_.layout().bat_layout;
  Piece piece{
      .block = offset / bat.block_size(), .offset = offset, .in_block = offset % bat.block_size()};
  piece.length = std::min(end - offset, bat.payload_length(piece.block) - piece.in_block);
  piece.whole = piece.length == bat.payload_length(piece.block);
  return piece;
}

BlockSectors VhdxImage::sectors_of(const Piece& piece) const {
  const u64 sector_size = map_.layout().metadata.logical_sector_size;
  return {piece.block, piece.in_block / sector_size, piece.length / sector_size};
}

Result<Extent> VhdxImage::reserve(u64 offset, u64 limit) {
  VDISK_TRY(require_writable());
  const Geometry shape = geometry();
  if (offset < shape.virtual_size) limit = std::min(limit, shape.virtual_size - offset);
  VDISK_TRY(require_range(offset, limit));
  VDISK_TRY(begin(Visibility::guest_data));
  VDISK_TRY(flush_when_many_dirty());
  MetadataLock lock(mutex_);
  Extent run{offset, 0, State::data, 0};
  while (run.length < limit) {
    const Piece piece = piece_of(offset + run.length, offset + limit);
    const auto place = place_of(piece.block, lock);
    if (!place && run.length == 0) return std::unexpected(place.error());
    if (!place) break;
    const u64 file_offset = *place + piece.in_block;
    if (run.length == 0) run.file_offset = file_offset;
    if (run.file_offset + run.length != file_offset) break;
    run.length += piece.length;
  }
  return run;
}

/// Where the payload of a block is, or will be.
Result<u64> VhdxImage::place_of(u64 block, MetadataLock& lock) {
  for (;;) {
    VDISK_ASSIGN(const BatEntry entry, map_.payload(block));
    if (entry.has_data()) return entry.file_offset;
    VDISK_ASSIGN(const auto place, allocator_->place_for(block, entry, lock));
    if (place) return *place;
  }
}

Status VhdxImage::commit(const Extent& written) {
  VDISK_TRY(require_writable());
  VDISK_TRY(require_range(written.offset, written.length));
  const MetadataLock lock(mutex_);
  if (!allocator_) {
    return fail(Errc::invalid_argument, "VHDX: commit, expected a reserved extent");
  }
  const u64 end = written.offset + written.length;
  for (u64 offset = written.offset; offset < end;) {
    const Piece piece = piece_of(offset, end);
    VDISK_TRY(commit_piece(piece, written.file_offset + (offset - written.offset)));
    offset += piece.length;
  }
  return {};
}

Status VhdxImage::commit_piece(const Piece& piece, u64 file_offset) {
  VDISK_ASSIGN(const BatEntry entry, map_.payload(piece.block));
  const u64 block_offset = file_offset - piece.in_block;
  if (!entry.has_data()) return install(piece, entry, block_offset);
  // The place was given up by a discard in the meantime: that discard came last.
  if (entry.file_offset != block_offset) return {};
  if (entry.payload_state() == PayloadState::fully_present) return {};
  if (!piece.whole) return commit_sectors(piece);
  payload_first_ = true;
  return map_.set_payload(piece.block, PayloadState::fully_present, block_offset);
}

/// Gives a block that was not stored its pending place.
Status VhdxImage::install(const Piece& piece, const BatEntry& entry, u64 file_offset) {
  const auto pending = allocator_->take_pending(piece.block, file_offset);
  if (!pending) return {};  // given up by a discard: that came last
  const bool transparent =
      map_.layout().has_parent() && entry.payload_state() == PayloadState::not_present;
  if (transparent && !piece.whole) return install_partial(piece, *pending);
  // A lost block must read as before: zeros in fresh space do, for all states but the parent's.
  payload_first_ = payload_first_ || transparent || pending->recycled;
  return map_.set_payload(piece.block, PayloadState::fully_present, pending->file_offset);
}

/// Absent block of a child: these sectors are here, all others stay the parent's.
Status VhdxImage::install_partial(const Piece& piece, const PendingBlock& pending) {
  const BatLayout& bat = map_.layout().bat_layout;
  VDISK_TRY(ensure_bitmap(bat.chunk_of_block(piece.block)));
  const u64 sector_count = bat.block_size() / map_.layout().metadata.logical_sector_size;
  VDISK_TRY(map_.set_sectors({piece.block, 0, sector_count}, false));
  VDISK_TRY(map_.set_sectors(sectors_of(piece), true));
  payload_first_ = true;
  return map_.set_payload(piece.block, PayloadState::partially_present, pending.file_offset);
}

Status VhdxImage::commit_sectors(const Piece& piece) {
  VDISK_ASSIGN(const bool changed, map_.set_sectors(sectors_of(piece), true));
  payload_first_ = payload_first_ || changed;
  return {};
}

/// A sector bitmap block of zeros for the chunk, unless it has one.
Status VhdxImage::ensure_bitmap(u64 chunk) {
  VDISK_ASSIGN(const BatEntry entry, map_.bitmap(chunk));
  constexpr u8 present = static_cast<u8>(BitmapState::present);
  if (entry.state == present) return {};
  VDISK_ASSIGN(const Place place, allocator_->allocate(sector_bitmap_size));
  if (place.recycled) {
    if (auto zeroed = file_->zero_at(place.offset, sector_bitmap_size); !zeroed) {
      allocator_->release(place.offset, sector_bitmap_size);
      return zeroed;
    }
    payload_first_ = true;
  }
  return map_.set_entry(map_.layout().bat_layout.bitmap_index(chunk), {present, place.offset});
}

}  // namespace vdisk::vhdx
