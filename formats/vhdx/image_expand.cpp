// Expand of a VHDX (FORMATS 2.9). The size item is the switch: what lies behind the old end in the
// BAT is ignored until it changes, so that a crash leaves the old or the new size.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/page_edit.h"

namespace vdisk::vhdx {

/// How the disk grows.
struct VhdxImage::Growth {
  u64 new_size = 0;
  BatLayout old_bat;
  BatLayout new_bat;
  Region bat_region;  ///< where the table will be
  bool bat_moves = false;
  u64 first_new_place = 0;  ///< of a fixed disk's new blocks, back to back; 0: none

  /// The first entry that the old size does not use for payload.
  [[nodiscard]] u64 first_new_index() const {
    return old_bat.payload_index(old_bat.payload_block_count() - 1) + 1;
  }
  /// What the entry must say once the new size counts; `old` is kept for slots that were in use.
  [[nodiscard]] u64 entry_at(u64 index, u64 old) const {
    if (index < first_new_index()) return old;
    if (new_bat.is_bitmap_index(index)) return index < old_bat.entry_count() ? old : 0;
    if (first_new_place == 0) return 0;
    const u64 position = new_bat.block_of_index(index) - old_bat.payload_block_count();
    return encode(PayloadState::fully_present, first_new_place + position * new_bat.block_size());
  }
};

Status VhdxImage::expand(u64 new_size) {
  VDISK_TRY(require_writable());
  VDISK_TRY(validate_new_size(new_size));
  if (new_size == geometry().virtual_size) return {};
  VDISK_TRY(begin(Visibility::guest_data));
  const std::scoped_lock flush_lock(flush_mutex_);
  VDISK_TRY(zero_behind_old_end());
  const Layout& layout = map_.layout();
  Growth growth{.new_size = new_size,
                .old_bat = layout.bat_layout,
                .new_bat = BatLayout({.virtual_size = new_size,
                                      .block_size = layout.metadata.block_size,
                                      .logical_sector_size = layout.metadata.logical_sector_size,
                                      .differencing = layout.has_parent()}),
                .bat_region = layout.regions.bat};
  growth.bat_moves = growth.new_bat.byte_length() > growth.bat_region.length;
  if (layout.type() == ImageType::fixed) {
    const u64 count = growth.new_bat.payload_block_count() - growth.old_bat.payload_block_count();
    const MetadataLock lock(mutex_);
    if (count != 0) {
      VDISK_ASSIGN(growth.first_new_place, allocator_->append(count * growth.new_bat.block_size()));
    }
  }
  VDISK_TRY(growth.bat_moves ? move_bat(growth) : fill_new_entries(growth));
  VDISK_ASSIGN(const auto pages, growth_pages(growth));
  VDISK_TRY(flush_locked(pages));
  const MetadataLock lock(mutex_);
  const Region old_region = layout.regions.bat;
  map_.resize(new_size, growth.bat_region);
  // Logged and in place already: like space that this flush freed.
  if (growth.bat_moves) quarantine_.logged({{old_region.offset, old_region.length}});
  return {};
}

Status VhdxImage::validate_new_size(u64 new_size) const {
  const Geometry shape = geometry();
  if (new_size >= shape.virtual_size && new_size <= max_virtual_size &&
      is_aligned(new_size, shape.logical_sector_size)) {
    return {};
  }
  return fail(Errc::invalid_argument,
              fmt::format("new size: {} bytes, expected {} bytes to 64 TiB in sectors of {} bytes",
                          new_size, shape.virtual_size, shape.logical_sector_size));
}

/// The last block may hold bytes of an earlier, larger disk behind its end. They become zeros, and
/// in a child they become this file's: the new area reads as zeros whatever the parent holds.
Status VhdxImage::zero_behind_old_end() {
  MetadataLock lock(mutex_);
  const BatLayout& bat = map_.layout().bat_layout;
  const u64 block = bat.payload_block_count() - 1;
  const u64 used = bat.payload_length(block);
  if (used == bat.block_size()) return {};
  VDISK_ASSIGN(const BatEntry entry, map_.payload(block));
  if (!entry.has_data()) return {};
  lock.unlock();
  VDISK_TRY(file_->zero_at(entry.file_offset + used, bat.block_size() - used));
  lock.lock();
  payload_first_ = true;
  const u64 block_end = entry.file_offset + bat.block_size();
  map_.set_file_size(std::max(map_.layout().file_size, block_end));
  if (entry.payload_state() != PayloadState::partially_present) return {};
  const u64 sector_size = map_.layout().metadata.logical_sector_size;
  VDISK_TRY(
      map_.set_sectors({block, used / sector_size, (bat.block_size() - used) / sector_size}, true));
  return {};
}

/// In the present table: entries of an earlier, larger disk are cleared, a fixed disk's are set.
Status VhdxImage::fill_new_entries(const Growth& growth) {
  const u64 end = growth.new_bat.entry_count();
  for (u64 index = growth.first_new_index(); index < end;) {
    {
      const MetadataLock lock(mutex_);
      EntryRun run{.first_index = index, .entries = {}};
      if (growth.first_new_place == 0) {
        VDISK_ASSIGN(run, map_.next_entries(index, end));
      } else {
        VDISK_ASSIGN(run, map_.entries_of_page(index, end));
      }
      if (run.entries.empty()) return {};
      for (index = run.first_index; index < run.end_index(); ++index) {
        const u64 old = run.entries[index - run.first_index];
        const u64 wanted = growth.entry_at(index, old);
        if (wanted != old) VDISK_TRY(map_.set_entry(index, decode_bat_entry(wanted)));
      }
      if (map_.dirty_count() < dirty_limit_) continue;
    }
    VDISK_TRY(flush_locked());
  }
  return {};
}

/// A larger table at a new place; nothing names it until growth_pages() are durable.
Status VhdxImage::move_bat(Growth& growth) {
  VDISK_TRY(flush_locked());
  {
    const MetadataLock lock(mutex_);
    const u64 length = round_up(growth.new_bat.byte_length(), region_alignment);
    VDISK_ASSIGN(growth.bat_region.offset, allocator_->append(length));
    growth.bat_region.length = static_cast<u32>(length);
    VDISK_TRY(write_bat_copy(growth));
    payload_first_ = true;
  }
  return {};
}

/// When the table is the last structure of the file, it goes into the first hole that holds it.
Status VhdxImage::move_bat_down() {
  const std::scoped_lock flush_lock(flush_mutex_);
  const Layout& layout = map_.layout();
  const Region old_region = layout.regions.bat;
  Growth growth{.new_size = layout.metadata.virtual_disk_size,
                .old_bat = layout.bat_layout,
                .new_bat = layout.bat_layout,
                .bat_region = old_region,
                .bat_moves = true};
  {
    const MetadataLock lock(mutex_);
    if (allocator_->used_end() != u64{old_region.offset} + old_region.length) return {};
    const auto place = allocator_->allocate_below(old_region.length, old_region.offset);
    if (!place) return {};
    growth.bat_region.offset = *place;
  }
  VDISK_TRY(begin_maintenance());
  VDISK_TRY(flush_locked());
  VDISK_TRY(file_->zero_at(growth.bat_region.offset, growth.bat_region.length));
  {
    const MetadataLock lock(mutex_);
    VDISK_TRY(write_bat_copy(growth));
    payload_first_ = true;
  }
  VDISK_ASSIGN(const auto pages, growth_pages(growth));
  VDISK_TRY(flush_locked(pages));
  const MetadataLock lock(mutex_);
  map_.resize(growth.new_size, growth.bat_region);
  quarantine_.logged({{old_region.offset, old_region.length}});
  return {};
}

Status VhdxImage::write_bat_copy(const Growth& growth) {
  const u64 end =
      growth.first_new_place == 0 ? growth.old_bat.entry_count() : growth.new_bat.entry_count();
  const u64 stored_end = growth.old_bat.entry_count();
  for (u64 index = 0; index < end;) {
    EntryRun run;
    if (index < stored_end) {
      VDISK_ASSIGN(run, map_.next_entries(index, stored_end));
    }
    if (run.entries.empty()) {
      if (growth.first_new_place == 0) return {};
      run = EntryRun::zeros(std::max(index, growth.first_new_index()), end);
    }
    std::vector<std::byte> bytes(run.entries.size() * bat_entry_size);
    for (std::size_t n = 0; n < run.entries.size(); ++n) {
      const little_uint64_buf_t raw{growth.entry_at(run.first_index + n, run.entries[n])};
      store(std::span(bytes).subspan(n * bat_entry_size), raw);
    }
    VDISK_TRY(file_->write_at(growth.bat_region.offset + run.first_index * bat_entry_size, bytes));
    index = run.end_index();
  }
  return {};
}

/// What must change at once: the size, and the region tables when the BAT moves.
Result<std::vector<DirtyPage>> VhdxImage::growth_pages(const Growth& growth) const {
  PageEdit edit(*file_);
  const Layout& layout = map_.layout();
  if (growth.bat_moves) {
    std::vector<Region> regions = layout.regions.regions;
    for (Region& region : regions) {
      if (region.id == growth.bat_region.id) region = growth.bat_region;
    }
    const auto table = encode_region_table(regions);
    for (const u64 offset : region_table_offsets) VDISK_TRY(edit.put(offset, table));
  }
  const little_uint64_buf_t size{growth.new_size};
  VDISK_TRY(edit.put(layout.metadata.size_item_file_offset, bytes_of(size)));
  return edit.take();
}

}  // namespace vdisk::vhdx
