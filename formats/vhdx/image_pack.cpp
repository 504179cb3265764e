// Giving blocks up and moving them towards the beginning of the file (FORMATS 2.9, compact).
//
// A moved block is copied, flushed and logged like payload that was written to a new place; its old
// place waits in quarantine, so that a crash finds it where the map on disk says.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

namespace {
constexpr u8 bitmap_present = static_cast<u8>(BitmapState::present);
}

Result<std::optional<StoredBlock>> VhdxImage::next_block(u64 offset) {
  const MetadataLock lock(mutex_);
  const BatLayout& bat = map_.layout().bat_layout;
  const u64 first_block = divide_up(offset, bat.block_size());
  if (first_block >= bat.payload_block_count()) return std::optional<StoredBlock>();
  const u64 end = bat.payload_index(bat.payload_block_count() - 1) + 1;
  for (u64 index = bat.payload_index(first_block); index < end;) {
    VDISK_ASSIGN(const EntryRun run, map_.next_entries(index, end));
    for (index = run.first_index; index < run.end_index(); ++index) {
      const BatEntry entry = decode_bat_entry(run.entries[index - run.first_index]);
      if (!bat.is_block_index(index) || !entry.has_data()) continue;
      const u64 block = bat.block_of_index(index);
      return StoredBlock{block * bat.block_size(), bat.payload_length(block), bat.block_size()};
    }
  }
  return std::optional<StoredBlock>();
}

Result<bool> VhdxImage::give_up(u64 offset, State as) {
  VDISK_TRY(begin_maintenance());
  VDISK_TRY(flush_when_many_dirty());
  const MetadataLock lock(mutex_);
  const u64 block_size = map_.layout().bat_layout.block_size();
  const u64 block = offset / block_size;
  VDISK_ASSIGN(const BatEntry entry, map_.payload(block));
  if (!entry.has_data()) return true;
  // Without a parent, only ZERO says for sure that zeros are read (D14).
  const bool transparent = as == State::absent && map_.layout().has_parent();
  VDISK_TRY(
      map_.set_payload(block, transparent ? PayloadState::not_present : PayloadState::zero, 0));
  quarantine_.add(entry.file_offset, block_size);
  return true;
}

/// A bitmap goes only after the blocks that needed it are durably gone.
Status VhdxImage::give_up_unused() {
  VDISK_ASSIGN(const UnusedSpace unused, unused_space());
  VDISK_ASSIGN(const bool found, visit_unused_entries(false));
  if (!found && unused.at_end == 0) return {};
  VDISK_TRY(begin_maintenance());
  VDISK_TRY(flush());
  VDISK_TRY(visit_unused_entries(true));
  return {};
}

/// Whether there is an entry that keeps something for nobody; clears all of them, or none.
Result<bool> VhdxImage::visit_unused_entries(bool clear) {
  std::optional<u64> partial_chunk;  // the last one seen that needs its bitmap
  for (u64 index = 0;;) {
    {
      const MetadataLock lock(mutex_);
      const BatLayout& bat = map_.layout().bat_layout;
      VDISK_ASSIGN(const EntryRun run, map_.next_entries(index, bat.entry_count()));
      if (run.entries.empty()) return clear;
      for (index = run.first_index; index < run.end_index(); ++index) {
        const BatEntry entry = decode_bat_entry(run.entries[index - run.first_index]);
        const bool unused =
            bat.is_bitmap_index(index)
                ? is_unused_bitmap(entry, partial_chunk == bat.chunk_of_index(index))
                : bat.is_block_index(index) && is_anchor(entry);
        if (entry.payload_state() == PayloadState::partially_present) {
          partial_chunk = bat.chunk_of_index(index);
        }
        if (unused && !clear) return true;
        if (unused) VDISK_TRY(clear_unused(index, entry));
      }
    }
    if (clear) VDISK_TRY(flush_when_many_dirty());
  }
}

bool VhdxImage::is_unused_bitmap(const BatEntry& entry, bool needed) const {
  return map_.layout().has_parent() && entry.state == bitmap_present && !needed;
}

Status VhdxImage::clear_unused(u64 index, const BatEntry& entry) {
  const BatLayout& bat = map_.layout().bat_layout;
  if (bat.is_bitmap_index(index)) {
    quarantine_.add(entry.file_offset, sector_bitmap_size);
    map_.forget(entry.file_offset, sector_bitmap_size);
    return map_.set_entry(index, {});
  }
  if (allocator_->keeps_anchor(entry)) quarantine_.add(entry.file_offset, bat.block_size());
  return map_.set_entry(index, {entry.state, 0});
}

Result<std::optional<BlockMove>> VhdxImage::plan_move() {
  VDISK_TRY(unused_space());  // which is known from then on
  VDISK_TRY(flush_when_many_dirty());
  VDISK_ASSIGN(const auto last, last_place());
  if (last) VDISK_TRY(plan_move_of(*last));
  if (!last || !planned_move_) {
    last_places_.reset();
    return std::optional<BlockMove>();
  }
  VDISK_TRY(begin_maintenance());
  return planned_move_->move;
}

Status VhdxImage::plan_move_of(const NamedPlace& place) {
  planned_move_.reset();
  const MetadataLock lock(mutex_);
  const BatLayout& bat = map_.layout().bat_layout;
  const u64 length = bat.is_bitmap_index(place.index) ? sector_bitmap_size : bat.block_size();
  const auto hole = allocator_->allocate_below(length, place.file_offset);
  if (!hole) return {};
  VDISK_ASSIGN(const EntryRun run, map_.entries_of_page(place.index, place.index + 1));
  planned_move_ = PlannedMove{
      {place.file_offset, *hole, length}, place.index, decode_bat_entry(run.entries.front()).state};
  return {};
}

Result<std::optional<NamedPlace>> VhdxImage::last_place() {
  if (last_places_) {
    if (const auto last = last_places_->take()) return last;
    if (!last_places_->has_more()) {
      last_places_.reset();
      return std::optional<NamedPlace>();
    }
  }
  VDISK_TRY(find_last_places());
  return last_places_->take();
}

/// Bitmaps are clean in memory afterwards: they can be moved in the file.
Status VhdxImage::find_last_places() {
  VDISK_TRY(flush());
  VDISK_TRY(move_bat_down());
  last_places_.emplace();
  for (u64 index = 0;;) {
    const MetadataLock lock(mutex_);
    const Layout& layout = map_.layout();
    const BatLayout& bat = layout.bat_layout;
    VDISK_ASSIGN(const EntryRun run, map_.next_entries(index, bat.entry_count()));
    if (run.entries.empty()) return {};
    for (index = run.first_index; index < run.end_index(); ++index) {
      const BatEntry entry = decode_bat_entry(run.entries[index - run.first_index]);
      const bool is_bitmap = bat.is_bitmap_index(index);
      const bool stored = is_bitmap ? layout.has_parent() && entry.state == bitmap_present
                                    : entry.has_data() && bat.is_block_index(index);
      if (stored) last_places_->offer({entry.file_offset, index});
    }
  }
}

Status VhdxImage::commit_move(const BlockMove& move) {
  VDISK_TRY(require_writable());
  const MetadataLock lock(mutex_);
  if (!planned_move_ || planned_move_->move != move) {
    return fail(Errc::invalid_argument,
                fmt::format("VHDX: move from {:#x} to {:#x}, expected the one that was planned",
                            move.from, move.to));
  }
  const PlannedMove planned = *planned_move_;
  planned_move_.reset();
  map_.forget(move.from, move.length);
  map_.forget(move.to, move.length);
  VDISK_TRY(map_.set_entry(planned.index, {planned.state, move.to}));
  payload_first_ = true;
  quarantine_.add(move.from, move.length);
  return {};
}

Result<UnusedSpace> VhdxImage::unused_space() {
  {
    const std::scoped_lock begin_lock(begin_mutex_);
    VDISK_TRY(learn_space());
  }
  const MetadataLock lock(mutex_);
  const u64 end = allocator_->used_end();
  const u64 file_size = map_.layout().file_size;
  return UnusedSpace{allocator_->unused_bytes(), file_size - std::min(end, file_size)};
}

}  // namespace vdisk::vhdx
