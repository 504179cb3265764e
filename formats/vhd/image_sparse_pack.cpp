/// Giving blocks up and moving them towards the beginning of the file.
///
/// Crash order: a moved block is copied with its bitmap, flushed, and then named by the BAT; its
/// old place is free once that is durable, so that each entry names an initialised block at any
/// instant.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/image_sparse.h"

namespace vdisk::vhd {

Result<std::optional<StoredBlock>> SparseImage::next_block(u64 offset) {
  const std::lock_guard lock(map_mutex_);
  const u64 block_size = layout_.header.block_size;
  const u64 first = divide_up(offset, block_size);
  if (first >= layout_.block_count) return std::optional<StoredBlock>();
  VDISK_ASSIGN(const u64 absent, map_->unallocated_run(first, layout_.block_count - first));
  const u64 block = first + absent;
  if (block >= layout_.block_count) return std::optional<StoredBlock>();
  const u64 begin = block * block_size;
  return StoredBlock{begin, std::min(block_size, layout_.virtual_size - begin),
                     layout_.footprint()};
}

Result<bool> SparseImage::give_up(u64 offset, State as) {
  VDISK_TRY(check_writable());
  const Layout now = layout();
  // An absent block of a child shows the parent.
  if (now.footer.is(DiskType::differencing) && as == State::zero) return false;
  VDISK_TRY(flush_when_many_dirty());
  const std::lock_guard lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  VDISK_TRY(discard_blocks(offset / now.header.block_size, 1));
  return true;
}

Status SparseImage::flush_when_many_dirty() {
  bool many = false;
  {
    const std::lock_guard lock(map_mutex_);
    many = map_->dirty_bytes() > options_.metadata_cache_bytes;
  }
  return many ? flush() : Status();
}

Result<std::optional<BlockMove>> SparseImage::plan_move() {
  VDISK_TRY(check_writable());
  VDISK_TRY(flush_when_many_dirty());
  VDISK_ASSIGN(const auto last, last_place());
  if (!last) return std::optional<BlockMove>();
  const BlockShape shape = block_shape(layout());
  const bool unaligned = !is_aligned(last->file_offset + shape.bitmap_bytes, data_alignment);
  const std::lock_guard lock(allocation_mutex_);
  const auto place = free_->take_below(last->file_offset, unaligned);
  if (!place) {
    last_places_.reset();
    return std::optional<BlockMove>();
  }
  const BlockMove move{last->file_offset, *place, shape.footprint()};
  planned_move_ = PlannedMove{move, last->index};
  return move;
}

Result<std::optional<NamedPlace>> SparseImage::last_place() {
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

/// The table of the file is the one in memory afterwards, and bitmaps can be moved in the file.
Status SparseImage::find_last_places() {
  VDISK_TRY(flush());
  const std::lock_guard lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  const Layout now = layout();
  last_places_.emplace();
  return for_each_entry(*file_, now.header.table_offset, now.block_count,
                        [&](u64 block, u32 sector) {
                          if (sector == unallocated) return Status();
                          last_places_->offer({u64{sector} * sector_size, block});
                          return Status();
                        });
}

Status SparseImage::commit_move(const BlockMove& move) {
  VDISK_TRY(check_writable());
  const std::lock_guard lock(allocation_mutex_);
  if (!planned_move_ || planned_move_->move != move) {
    return fail(Errc::invalid_argument,
                fmt::format("move from {:#x} to {:#x}, expected the one that was planned",
                            move.from, move.to));
  }
  const FileRange from{move.from, move.length};
  {
    const std::lock_guard map_lock(map_mutex_);
    VDISK_TRY(map_->relocate(planned_move_->block, from, move.to));
  }
  planned_move_.reset();
  freed_.push_back(from);
  return {};
}

Result<UnusedSpace> SparseImage::unused_space() {
  const std::lock_guard lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  const Layout now = layout();
  const u64 tail = aligned_place(free_->tail_offset(), block_shape(now));
  return UnusedSpace{free_->gap_bytes(), now.footer_offset - std::min(tail, now.footer_offset)};
}

}  // namespace vdisk::vhd
