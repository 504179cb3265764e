// Shrink of a VHDX (FORMATS 2.9). As with expand, the size item is the switch: what lies behind the
// new end means nothing from then on, and is given up afterwards.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/page_edit.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

Status VhdxImage::shrink(u64 new_size) {
  VDISK_TRY(require_writable());
  VDISK_TRY(validate_smaller_size(new_size));
  if (new_size == geometry().virtual_size) return {};
  VDISK_TRY(begin(Visibility::guest_data));
  const std::scoped_lock flush_lock(flush_mutex_);
  VDISK_TRY(flush_locked());
  const BatLayout old_bat = map_.layout().bat_layout;
  PageEdit edit(*file_);
  VDISK_TRY(edit.put(map_.layout().metadata.size_item_file_offset,
                     bytes_of(little_uint64_buf_t{new_size})));
  const auto pages = edit.take();
  VDISK_TRY(flush_locked(pages));
  {
    const MetadataLock lock(mutex_);
    map_.resize(new_size, map_.layout().regions.bat);
    const u64 gone = old_bat.payload_block_count() - map_.layout().bat_layout.payload_block_count();
    fixed_room_ -= std::min(fixed_room_, gone * old_bat.block_size());
    last_places_.reset();
    planned_move_.reset();
  }
  VDISK_TRY(give_up_behind_end(old_bat));
  VDISK_TRY(zero_behind_old_end());
  return flush_locked();
}

Status VhdxImage::validate_smaller_size(u64 new_size) const {
  const Geometry shape = geometry();
  if (new_size != 0 && new_size <= shape.virtual_size &&
      is_aligned(new_size, shape.logical_sector_size)) {
    return {};
  }
  return fail(Errc::invalid_argument,
              fmt::format("new size: {} bytes, expected up to {} bytes in sectors of {} bytes",
                          new_size, shape.virtual_size, shape.logical_sector_size));
}

/// Slots of blocks behind the end, and of sector bitmaps that no block of the disk has.
Status VhdxImage::give_up_behind_end(const BatLayout& old_bat) {
  const BatLayout& bat = map_.layout().bat_layout;
  const u64 first = bat.payload_index(bat.payload_block_count() - 1) + 1;
  for (u64 index = first; index < old_bat.entry_count();) {
    {
      const MetadataLock lock(mutex_);
      VDISK_ASSIGN(const EntryRun run, map_.next_entries(index, old_bat.entry_count()));
      if (run.entries.empty()) return {};
      for (index = run.first_index; index < run.end_index(); ++index) {
        VDISK_TRY(give_up_entry_behind_end(index, run.entries[index - run.first_index]));
      }
      if (map_.dirty_count() < dirty_limit_) continue;
    }
    VDISK_TRY(flush_locked());
  }
  return {};
}

Status VhdxImage::give_up_entry_behind_end(u64 index, u64 raw) {
  const Layout& layout = map_.layout();
  const BatEntry entry = decode_bat_entry(raw);
  if (raw == 0) return {};
  if (layout.bat_layout.is_bitmap_index(index)) {
    if (index < layout.bat_layout.entry_count()) return {};
    if (layout.has_parent() && entry.state == static_cast<u8>(BitmapState::present)) {
      quarantine_.add(entry.file_offset, sector_bitmap_size);
      map_.forget(entry.file_offset, sector_bitmap_size);
    }
    return map_.set_entry(index, {});
  }
  if (entry.has_data() || allocator_->keeps_anchor(entry)) {
    quarantine_.add(entry.file_offset, layout.bat_layout.block_size());
  }
  return map_.set_entry(index, {});
}

}  // namespace vdisk::vhdx
