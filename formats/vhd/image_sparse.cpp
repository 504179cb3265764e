/// Lookup, reservation and commit.
#include "formats/vhd/image_sparse.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/image_info.h"

namespace vdisk::vhd {

SparseImage::SparseImage(std::shared_ptr<File> file, const ImageOptions& options, Survey survey)
    : file_(std::move(file)),
      options_(options),
      warnings_(warnings_of(survey.verdict)),
      known_zero_from_(survey.layout.file_size),
      layout_(std::move(survey.layout)),
      map_(std::make_unique<BlockMap>(*file_, layout_, options.metadata_cache_bytes)) {}

Geometry SparseImage::geometry() const {
  const std::lock_guard lock(map_mutex_);
  return geometry_of(layout_);
}

ImageInfo SparseImage::info() const {
  const std::lock_guard lock(map_mutex_);
  return info_of(layout_, warnings_);
}

Layout SparseImage::layout() const {
  const std::lock_guard lock(map_mutex_);
  return layout_;
}

Guid SparseImage::content_id() const {
  const std::lock_guard lock(map_mutex_);
  return layout_.footer.unique_id;
}

Result<BlockCounts> SparseImage::count_blocks() const {
  const std::lock_guard lock(map_mutex_);
  VDISK_ASSIGN(const u64 allocated, map_->allocated_count());
  return BlockCounts{allocated, layout_.block_count};
}

Result<Extent> SparseImage::extent_at(u64 offset, u64 limit) const {
  const std::lock_guard lock(map_mutex_);
  return map_->extent_at(offset, limit);
}

Status SparseImage::check_writable() const {
  if (options_.access != Access::read_write) {
    return fail(Errc::write_protected, "the image is open read-only");
  }
  if (failed_) return fail(Errc::poisoned, "an earlier flush failed, nothing more is written");
  return {};
}

Result<std::optional<u64>> SparseImage::find_place(u64 block) const {
  const std::lock_guard lock(map_mutex_);
  return map_->place_of(block);
}

Extent SparseImage::payload_extent(u64 offset, u64 limit, u64 place) const {
  const Geometry shape = geometry();
  const u64 inside = offset % shape.block_size;
  const u64 length = std::min({limit, shape.block_size - inside, shape.virtual_size - offset});
  return {offset, length, State::data, place + bitmap_bytes(shape.block_size) + inside};
}

Result<Extent> SparseImage::reserve(u64 offset, u64 limit) {
  VDISK_TRY(check_writable());
  const Geometry shape = geometry();
  if (offset >= shape.virtual_size || limit == 0 || !is_aligned(offset | limit, sector_size)) {
    return fail(Errc::invalid_argument,
                fmt::format("guest range of {} bytes at {:#x}, expected whole sectors inside {} "
                            "bytes",
                            limit, offset, shape.virtual_size));
  }
  const u64 block = offset / shape.block_size;
  if (space_is_known_) {
    VDISK_ASSIGN(const auto place, find_place(block));
    if (place) return payload_extent(offset, limit, *place);
  }
  const std::lock_guard lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  VDISK_ASSIGN(auto place, find_place(block));  // another thread may have been faster
  if (!place) {
    VDISK_ASSIGN(place, allocate_block());
    const std::lock_guard map_lock(map_mutex_);
    map_->reserve(block, *place);
  }
  return payload_extent(offset, limit, *place);
}

Status SparseImage::commit(const Extent& written) {
  VDISK_TRY(check_writable());
  bool too_much = false;
  {
    const std::lock_guard lock(map_mutex_);
    const u64 block_size = layout_.header.block_size;
    const u64 inside = written.offset % block_size;
    const u64 overhead = bitmap_bytes(layout_.header.block_size) + inside;
    if (!is_aligned(written.offset | written.length, sector_size) ||
        !lies_within(written.offset, written.length, 0, layout_.virtual_size) ||
        written.length > block_size - inside || written.file_offset < overhead) {
      return fail(Errc::invalid_argument,
                  fmt::format("commit of {} bytes at guest offset {:#x}, expected an extent that "
                              "was reserved",
                              written.length, written.offset));
    }
    VDISK_TRY(map_->commit(written.offset / block_size, written.file_offset - overhead,
                           {inside / sector_size, written.length / sector_size}));
    too_much = map_->dirty_bytes() > options_.metadata_cache_bytes;
  }
  return too_much ? flush() : Status();
}

}  // namespace vdisk::vhd
