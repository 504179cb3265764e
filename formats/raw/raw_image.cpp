#include "formats/raw/raw_image.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::raw {

namespace {
/// Smaller holes are read like data: one more extent costs more than these zeros.
constexpr u64 smallest_hole = 4 * kib;
}  // namespace

std::optional<std::string> describe_padding(u64 file_size) {
  const u64 padding = round_up(file_size, sector_size) - file_size;
  if (padding == 0) return std::nullopt;
  return fmt::format(
      "file of {} bytes, expected a multiple of {}: {} zeros are read behind its end", file_size,
      sector_size, padding);
}

RawImage::RawImage(std::shared_ptr<File> file, u64 file_size, const ImageOptions& options)
    : file_(std::move(file)),
      options_(options),
      virtual_size_(round_up(file_size, sector_size)),
      file_size_(file_size) {}

Geometry RawImage::geometry() const {
  return {virtual_size_, 0, sector_size, sector_size};
}

ImageInfo RawImage::info() const {
  ImageInfo info;
  info.format = "raw";
  info.type = ImageType::fixed;
  info.geometry = geometry();
  if (auto padding = describe_padding(file_size_)) {
    info.warnings.push_back({std::string(odd_size_id), *std::move(padding), file_size_});
  }
  return info;
}

Result<Extent> RawImage::extent_at(u64 offset, u64 limit) const {
  const u64 file_size = file_size_;
  limit = std::min(limit, virtual_size_ - offset);
  if (offset >= file_size) return Extent{offset, limit, State::zero, 0};
  limit = std::min(limit, file_size - offset);

  const DataRun known = known_data();
  if (offset >= known.begin && offset < known.end) {
    return Extent{offset, std::min(limit, known.end - offset), State::data, offset};
  }
  VDISK_ASSIGN(const Hole hole, file_->next_hole(offset));
  const bool inside_hole = hole.length != 0 && hole.offset == offset;
  if (inside_hole && hole.length >= smallest_hole) {
    return Extent{offset, std::min(limit, hole.length), State::zero, 0};
  }
  const u64 data_end = hole.length == 0 ? file_size
                       : inside_hole    ? offset + hole.length
                                        : hole.offset;
  remember_data({offset, data_end});
  return Extent{offset, std::min(limit, data_end - offset), State::data, offset};
}

Result<Extent> RawImage::reserve(u64 offset, u64 limit) {
  VDISK_TRY(check_writable());
  limit = std::min(limit, virtual_size_ - offset);
  if (offset + limit > file_size_) VDISK_TRY(fill_last_sector());
  changed_ = true;
  return Extent{offset, limit, State::data, offset};
}

Result<u64> RawImage::discard(u64 offset, u64 length, State to) {
  VDISK_TRY(check_writable());
  length = std::min(length, virtual_size_ - offset);
  const u64 file_size = file_size_;
  const u64 stored = offset < file_size ? std::min(length, file_size - offset) : 0;
  changed_ = true;
  if (to == State::zero) {
    VDISK_TRY(file_->zero_at(offset, stored));
  } else {
    VDISK_TRY(file_->punch_at(offset, stored));
  }
  return length;
}

Status RawImage::expand(u64 new_size) {
  VDISK_TRY(check_writable());
  if (new_size < virtual_size_ || !is_aligned(new_size, sector_size)) {
    return fail(Errc::invalid_argument,
                fmt::format("new size: {} bytes, expected a multiple of {} from {}", new_size,
                            sector_size, virtual_size_.load()));
  }
  const std::lock_guard lock(growing_);
  VDISK_TRY(file_->resize(new_size));
  VDISK_TRY(file_->flush());
  file_size_ = new_size;
  virtual_size_ = new_size;
  return {};
}

Status RawImage::shrink(u64 new_size) {
  VDISK_TRY(check_writable());
  if (new_size == 0 || new_size > virtual_size_ || !is_aligned(new_size, sector_size)) {
    return fail(Errc::invalid_argument,
                fmt::format("new size: {} bytes, expected a multiple of {} up to {}", new_size,
                            sector_size, virtual_size_.load()));
  }
  const std::lock_guard lock(growing_);
  if (new_size < file_size_) VDISK_TRY(file_->resize(new_size));
  VDISK_TRY(file_->flush());
  file_size_ = std::min(file_size_.load(), new_size);
  virtual_size_ = new_size;
  const std::lock_guard run_lock(data_run_mutex_);
  data_run_ = {};
  return {};
}

Status RawImage::link_parent(const ParentLink&) {
  return fail(Errc::wrong_disk_kind, "a raw disk cannot have a parent");
}

Status RawImage::close() {
  if (!changed_ || options_.durability == Durability::unpublished) return {};
  VDISK_TRY(flush());
  changed_ = false;
  return {};
}

Status RawImage::check_writable() const {
  if (options_.access == Access::read_write) return {};
  return fail(Errc::write_protected, "the raw disk is opened read-only");
}

Status RawImage::fill_last_sector() {
  const std::lock_guard lock(growing_);
  if (file_size_ >= virtual_size_) return {};
  VDISK_TRY(file_->resize(virtual_size_));
  file_size_ = virtual_size_.load();
  return {};
}

RawImage::DataRun RawImage::known_data() const {
  const std::lock_guard lock(data_run_mutex_);
  return data_run_;
}

void RawImage::remember_data(DataRun run) const {
  const std::lock_guard lock(data_run_mutex_);
  const bool touches = run.begin <= data_run_.end && data_run_.begin <= run.end;
  if (touches) {
    run.begin = std::min(run.begin, data_run_.begin);
    run.end = std::max(run.end, data_run_.end);
  }
  data_run_ = run;
}

}  // namespace vdisk::raw
