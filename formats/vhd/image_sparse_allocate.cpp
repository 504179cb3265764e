/// Space for new blocks, growth of the file, and discarding. The caller holds allocation_mutex_
/// where image_sparse.h says so.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/image_sparse.h"

namespace vdisk::vhd {

namespace {

/// The file grows by half of its size, within these limits and as a hole, so that the flush which
/// growing costs is rare: ten for the first 2 GiB.
constexpr u64 smallest_growth = 64 * mib;
constexpr u64 largest_growth = 512 * mib;

std::vector<std::byte> full_bitmap(const BlockShape& shape) {
  std::vector<std::byte> bitmap(shape.bitmap_bytes);
  set_bits(bitmap, {0, shape.block_size / sector_size});
  return bitmap;
}

bool is_lack_of_space(const Error& error) {
  return kind(error.code) == ErrorKind::no_space || kind(error.code) == ErrorKind::limit;
}

}  // namespace

Status SparseImage::know_free_space() {
  if (free_) return {};
  const Layout now = layout();
  VDISK_ASSIGN(const auto blocks, scan_for_writing(*file_, now));
  free_.emplace(blocks, now);
  space_is_known_ = true;
  return {};
}

Result<u64> SparseImage::allocate_block() {
  VDISK_ASSIGN(const u64 place, take_block_space());
  auto initialised = initialise_block(place);
  if (initialised) return place;
  free_->give({place, layout().footprint()});
  return std::unexpected(std::move(initialised).error());
}

Result<u64> SparseImage::take_block_space() {
  if (const auto place = free_->take()) return *place;
  const BlockShape shape = block_shape(layout());
  const u64 place = aligned_place(free_->tail_offset(), shape);
  if (place / sector_size > highest_block_sector) {
    return fail(Errc::limit, fmt::format("new block at {:#x}: the BAT cannot name it, expected one "
                                         "below 2 TiB",
                                         place));
  }
  VDISK_TRY(grow(place + shape.footprint()));
  if (const auto taken = free_->take()) return *taken;
  return fail(Errc::internal, fmt::format("new block at {:#x}: no room after growing", place));
}

/// Recycled space is cleared; a block of a dynamic image counts as wholly written from the start.
Status SparseImage::initialise_block(u64 place) {
  const Layout now = layout();
  const BlockShape shape = block_shape(now);
  if (place < known_zero_from_) {
    const u64 length = std::min(shape.footprint(), known_zero_from_ - place);
    VDISK_TRY(file_->zero_at(place, length));
  }
  if (now.footer.is(DiskType::differencing)) return {};
  return file_->write_at(place, full_bitmap(shape));
}

Status SparseImage::grow(u64 needed) {
  const u64 now = layout().footer_offset;
  const u64 growth = std::clamp(now / 2, smallest_growth, largest_growth);
  const u64 generous = round_up(std::max(needed, now + growth), data_alignment);
  auto grown = move_end_footer(generous);
  if (!grown && is_lack_of_space(grown.error())) grown = move_end_footer(needed);
  return grown;
}

Status SparseImage::move_end_footer(u64 new_offset) {
  const Layout now = layout();
  if (crash_safe()) {
    VDISK_TRY(extend_with_footer(*file_, now, new_offset));
    VDISK_TRY(flush_file());
  } else {
    VDISK_TRY(file_->resize(new_offset + footer_size));
  }
  {
    const std::lock_guard lock(map_mutex_);
    layout_.footer_offset = new_offset;
    layout_.file_size = new_offset + footer_size;
    map_->set_data_limit(new_offset);
  }
  known_zero_from_ = std::max(known_zero_from_, now.footer_offset + footer_size);
  free_->grow(new_offset);
  // Nothing depends on it: whoever uses the place clears it first.
  (void)file_->zero_at(now.footer_offset, footer_size);
  return {};
}

Result<u64> SparseImage::discard(u64 offset, u64 length, State to) {
  VDISK_TRY(check_writable());
  const Layout now = layout();
  if (!is_aligned(offset | length, sector_size) ||
      !lies_within(offset, length, 0, now.virtual_size)) {
    return fail(Errc::invalid_argument,
                fmt::format("guest range of {} bytes at {:#x}, expected whole sectors inside {} "
                            "bytes",
                            length, offset, now.virtual_size));
  }
  if (now.footer.is(DiskType::differencing)) return to == State::absent ? length : u64{0};
  const std::lock_guard lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  const u64 block_size = now.header.block_size;
  const u64 end = offset + length;
  const bool to_disk_end = end == now.virtual_size;
  const u64 first = divide_up(offset, block_size);
  const u64 last = to_disk_end ? now.block_count : end / block_size;
  if (to == State::absent) {  // edges keep what they hold
    if (first < last) VDISK_TRY(discard_blocks(first, last - first));
    return length;
  }
  const u64 edge = offset / block_size;
  if (edge != first || first >= last) {
    VDISK_ASSIGN(const auto place, find_place(edge));
    if (place) return u64{0};
    return std::min(length, (edge + 1) * block_size - offset);
  }
  VDISK_ASSIGN(const u64 blocks, discard_blocks(first, last - first));
  return std::min(length, blocks * block_size);
}

/// Returns how many of the blocks are gone: all of them.
Result<u64> SparseImage::discard_blocks(u64 first, u64 count) {
  for (u64 done = 0; done < count;) {
    const std::lock_guard lock(map_mutex_);
    VDISK_ASSIGN(const u64 absent, map_->unallocated_run(first + done, count - done));
    done += absent;
    if (done == count) break;
    VDISK_ASSIGN(const auto place, map_->stored_place(first + done));
    VDISK_TRY(map_->release(first + done));
    if (place) freed_.push_back({*place, layout_.footprint()});
    ++done;
  }
  return count;
}

void SparseImage::reclaim() {
  const std::lock_guard lock(allocation_mutex_);
  if (!free_) return;
  for (const FileRange& range : durably_freed_) {
    (void)file_->punch_at(range.offset, range.length);  // gives space back where the host can
    free_->give(range);
    known_zero_from_ = std::max(known_zero_from_, range.end());
  }
  durably_freed_.clear();
}

}  // namespace vdisk::vhd
