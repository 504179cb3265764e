// What a VHDX says about itself beyond its items: the disk's id and its physical sector size. Both
// lie in items of fixed length, which change in place by one entry of the log.
#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/page_edit.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

namespace {

Status check_sector_size(std::optional<u32> size) {
  if (!size || *size == 512 || *size == 4096) return {};
  return fail(Errc::invalid_argument,
              fmt::format("physical sector size: {} bytes, expected 512 or 4096", *size));
}

}  // namespace

Status VhdxImage::change_description(const DescriptionChange& change) {
  VDISK_TRY(require_writable());
  VDISK_TRY(check_sector_size(change.physical_sector_size));
  if (change.empty()) return {};
  const std::scoped_lock flush_lock(flush_mutex_);
  Metadata metadata;
  Region region;
  {
    const MetadataLock lock(mutex_);
    metadata = map_.layout().metadata;
    region = map_.layout().regions.metadata;
  }
  PageEdit edit(*file_);
  if (change.disk_id) {
    metadata.virtual_disk_id = *change.disk_id;
    const auto raw = encode(*change.disk_id);
    const MetadataItem* item = metadata.find(virtual_disk_id_id);  // both are there (X31)
    VDISK_TRY(edit.put(region.offset + item->offset, bytes_of(raw)));
  }
  if (change.physical_sector_size) {
    metadata.physical_sector_size = *change.physical_sector_size;
    const little_uint32_buf_t raw{*change.physical_sector_size};
    const MetadataItem* item = metadata.find(physical_sector_size_id);
    VDISK_TRY(edit.put(region.offset + item->offset, bytes_of(raw)));
  }
  const auto pages = edit.take();
  VDISK_TRY(begin(Visibility::guest_data));
  VDISK_TRY(flush_locked(pages));
  const MetadataLock lock(mutex_);
  map_.set_metadata(std::move(metadata));
  return {};
}

}  // namespace vdisk::vhdx
