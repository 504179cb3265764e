/// Fixed images: an identity map, and growth.
#include "formats/vhd/image_fixed.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/image_info.h"

namespace vdisk::vhd {

FixedImage::FixedImage(std::shared_ptr<File> file, const ImageOptions& options, Survey survey)
    : file_(std::move(file)),
      options_(options),
      warnings_(warnings_of(survey.verdict)),
      layout_(std::move(survey.layout)) {}

u64 FixedImage::size() const {
  const std::lock_guard lock(mutex_);
  return layout_.virtual_size;
}

Geometry FixedImage::geometry() const {
  const std::lock_guard lock(mutex_);
  return geometry_of(layout_);
}

ImageInfo FixedImage::info() const {
  const std::lock_guard lock(mutex_);
  return info_of(layout_, warnings_);
}

Result<Extent> FixedImage::extent_at(u64 offset, u64 limit) const {
  const u64 end = size();
  if (offset >= end) {
    return fail(Errc::end_of_file, fmt::format("guest offset {:#x}: behind the end, expected less "
                                               "than {:#x}",
                                               offset, end));
  }
  return Extent{offset, std::min(limit, end - offset), State::data, offset};
}

Result<Extent> FixedImage::reserve(u64 offset, u64 limit) {
  if (!writable()) return fail(Errc::write_protected, "the image is open read-only");
  return extent_at(offset, limit);
}

Status FixedImage::commit(const Extent&) {
  return {};
}

Result<u64> FixedImage::discard(u64, u64 length, State to) {
  return to == State::absent ? length : u64{0};
}

Status FixedImage::flush() {
  if (!writable() || options_.durability == Durability::unpublished) return {};
  return file_->flush();
}

Status FixedImage::expand(u64 new_size) {
  if (!writable()) return fail(Errc::write_protected, "the image is open read-only");
  VDISK_TRY(validate_new_size(layout_, new_size));
  const u64 old_size = layout_.footer.current_size;
  if (new_size == old_size) return {};
  const u64 old_end = layout_.footer_offset + footer_size;
  const bool behind = layout_.footer_offset >= new_size + footer_size;
  if (!behind) VDISK_TRY(move_footer(std::max(new_size + footer_size, old_end)));
  const u64 stale_end = behind ? new_size : std::min(new_size, old_end);
  if (stale_end > old_size) VDISK_TRY(file_->zero_at(old_size, stale_end - old_size));
  Footer footer = layout_.footer;
  set_current_size(footer, new_size);
  return cut_to_footer(new_size, footer);
}

Status FixedImage::shrink(u64 new_size) {
  if (!writable()) return fail(Errc::write_protected, "the image is open read-only");
  VDISK_TRY(validate_smaller_size(layout_, new_size));
  VDISK_TRY(close_gap());
  if (new_size == layout_.footer.current_size) return {};
  const u64 old_end = layout_.footer_offset + footer_size;
  VDISK_TRY(move_footer(old_end + footer_size));
  Footer footer = layout_.footer;
  set_current_size(footer, new_size);
  VDISK_TRY(cut_to_footer(old_end, footer));
  return close_gap();
}

/// An interrupted shrink has left bytes between the disk and its footer.
Status FixedImage::close_gap() {
  const u64 size = layout_.footer.current_size;
  if (layout_.footer_offset < size + footer_size) return {};
  return cut_to_footer(size, layout_.footer);
}

/// Writes a footer before the one that counts, which stays until the file is cut between the two.
Status FixedImage::cut_to_footer(u64 offset, const Footer& footer) {
  VDISK_TRY(write_footer(*file_, offset, footer));
  VDISK_TRY(file_->flush());
  VDISK_TRY(file_->resize(offset + footer_size));
  VDISK_TRY(file_->flush());
  const std::lock_guard lock(mutex_);
  layout_.footer = footer;
  layout_.footer_offset = offset;
  layout_.file_size = offset + footer_size;
  layout_.virtual_size = footer.current_size;
  return {};
}

/// The same footer, further behind: the disk keeps its size.
Status FixedImage::move_footer(u64 new_offset) {
  new_offset = round_up(new_offset, sector_size);
  VDISK_TRY(extend_with_footer(*file_, layout_, new_offset));
  VDISK_TRY(file_->flush());
  const std::lock_guard lock(mutex_);
  layout_.footer_offset = new_offset;
  layout_.file_size = new_offset + footer_size;
  return {};
}

Status FixedImage::link_parent(const ParentLink&) {
  return fail(Errc::wrong_disk_kind, "a fixed image has no parent, expected a differencing one");
}

Status FixedImage::change_description(const DescriptionChange& change) {
  if (!writable()) return fail(Errc::write_protected, "the image is open read-only");
  VDISK_TRY(validate_description(layout_, change));
  if (!change.disk_id) return {};
  Footer footer = layout_.footer;
  footer.unique_id = *change.disk_id;
  VDISK_TRY(publish_footer(*file_, layout_.footer_offset, footer));
  const std::lock_guard lock(mutex_);
  layout_.footer = footer;
  return {};
}

Status FixedImage::close() {
  return flush();
}

}  // namespace vdisk::vhd
