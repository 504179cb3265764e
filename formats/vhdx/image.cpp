#include "formats/vhdx/image.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 page_size = 4096;
/// More dirty pages than this (4 MiB) make a write flush first.
constexpr u64 most_dirty_pages = 1024;
/// With a small cache, at most this part of it may be dirty.
constexpr u64 clean_share = 2;

u64 dirty_limit_for(u64 cache_bytes) {
  return std::clamp<u64>(cache_bytes / page_size / clean_share, 1, most_dirty_pages);
}

}  // namespace

Result<std::unique_ptr<Image>> open_image(std::shared_ptr<File> file, const ImageOptions& options) {
  VDISK_ASSIGN(Layout layout, read_layout(*file, options));
  return std::make_unique<VhdxImage>(std::move(file), std::move(layout), options);
}

VhdxImage::VhdxImage(std::shared_ptr<File> file, Layout layout, const ImageOptions& options)
    : file_(std::move(file)),
      options_(options),
      dirty_limit_(dirty_limit_for(options.metadata_cache_bytes)),
      fixed_room_(layout.file_size),
      journal_(*file_, layout.headers, options.durability),
      map_(*file_, std::move(layout), options.metadata_cache_bytes) {}

Geometry VhdxImage::geometry() const {
  const MetadataLock lock(mutex_);
  const Metadata& metadata = map_.layout().metadata;
  return {.virtual_size = metadata.virtual_disk_size,
          .block_size = metadata.block_size,
          .logical_sector_size = metadata.logical_sector_size,
          .physical_sector_size = metadata.physical_sector_size};
}

ImageInfo VhdxImage::info() const {
  ImageInfo info;
  info.format = "vhdx";
  info.geometry = geometry();
  info.data_write_id = content_id();
  const MetadataLock lock(mutex_);
  const Layout& layout = map_.layout();
  info.type = layout.type();
  info.id = layout.metadata.virtual_disk_id;
  info.creator = layout.creator;
  info.warnings = layout.warnings;
  if (layout.metadata.locator) {
    info.parent = to_parent_link(*layout.metadata.locator);
    info.parent->file_offset =
        layout.regions.metadata.offset + layout.metadata.find(parent_locator_id)->offset;
  }
  return info;
}

Result<BlockCounts> VhdxImage::count_blocks() const {
  BlockCounts counts;
  for (u64 index = 0;;) {
    const MetadataLock lock(mutex_);
    const BatLayout& bat = map_.layout().bat_layout;
    counts.total = bat.payload_block_count();
    VDISK_ASSIGN(const EntryRun run, map_.next_entries(index, bat.entry_count()));
    if (run.entries.empty()) return counts;
    for (index = run.first_index; index < run.end_index(); ++index) {
      const BatEntry entry = decode_bat_entry(run.entries[index - run.first_index]);
      if (bat.is_block_index(index) && entry.has_data()) ++counts.allocated;
    }
  }
}

Result<Extent> VhdxImage::extent_at(u64 offset, u64 limit) const {
  const MetadataLock lock(mutex_);
  if (limit == 0 || offset >= map_.layout().metadata.virtual_disk_size) {
    return fail(Errc::invalid_argument,
                fmt::format("guest offset {:#x}: {} bytes, expected some inside the disk of {} "
                            "bytes",
                            offset, limit, map_.layout().metadata.virtual_disk_size));
  }
  return map_.extent_at(offset, limit);
}

Status VhdxImage::require_writable() const {
  if (options_.access == Access::read_only) {
    return fail(Errc::write_protected, "VHDX: opened read-only, expected write access");
  }
  VDISK_TRY(journal_.require_healthy());
  const MetadataLock lock(mutex_);
  if (closed_) return fail(Errc::invalid_handle, "VHDX: closed, expected an open image");
  return {};
}

bool VhdxImage::is_fixed() const {
  const MetadataLock lock(mutex_);
  return map_.layout().type() == ImageType::fixed;
}

Status VhdxImage::require_range(u64 offset, u64 length) const {
  const Geometry shape = geometry();
  const bool aligned = is_aligned(offset, shape.logical_sector_size) &&
                       is_aligned(length, shape.logical_sector_size);
  if (length != 0 && aligned && lies_within(offset, length, 0, shape.virtual_size)) return {};
  return fail(Errc::invalid_argument,
              fmt::format("guest offset {:#x}: {} bytes, expected whole sectors of {} bytes inside "
                          "the disk of {} bytes",
                          offset, length, shape.logical_sector_size, shape.virtual_size));
}

}  // namespace vdisk::vhdx
