#include "io/overlay_file.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/copy_loop.h"

namespace vdisk {

Result<std::shared_ptr<OverlayFile>> OverlayFile::create(std::shared_ptr<const File> base) {
  VDISK_ASSIGN(const u64 base_size, base->size());
  return std::shared_ptr<OverlayFile>(new OverlayFile(std::move(base), base_size));
}

OverlayFile::OverlayFile(std::shared_ptr<const File> base, u64 base_size)
    : base_(std::move(base)), base_size_(base_size), size_(base_size) {}

Status OverlayFile::read_at(u64 offset, std::span<std::byte> out) const {
  const std::shared_lock lock(mutex_);
  if (!lies_within(offset, out.size(), 0, size_)) {
    return fail_at(offset, Errc::end_of_file,
                   fmt::format("{}: read of {} bytes at {:#x}: behind the end, expected at most "
                               "{:#x}",
                               name(), out.size(), offset, size_));
  }
  return read_locked(offset, out);
}

Status OverlayFile::read_locked(u64 offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const u64 start = round_down(offset, page_size);
    const auto page = pages_.lower_bound(start);
    if (page != pages_.end() && page->first == start) {
      const auto piece = out.first(std::min<u64>(out.size(), start + page_size - offset));
      std::memcpy(piece.data(), page->second.data() + (offset - start), piece.size());
      out = out.subspan(piece.size());
      offset += piece.size();
      continue;
    }
    const u64 until_page = page == pages_.end() ? out.size() : page->first - offset;
    const auto piece = out.first(std::min<u64>(out.size(), until_page));
    VDISK_TRY(read_below_pages(offset, piece));
    out = out.subspan(piece.size());
    offset += piece.size();
  }
  return {};
}

/// Reads a range without pages: zeros where they hide the base, the base elsewhere.
Status OverlayFile::read_below_pages(u64 offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    auto next = zeros_.upper_bound(offset);
    u64 zero_end = offset;
    if (next != zeros_.begin()) zero_end = std::max(offset, std::prev(next)->second);
    const u64 zero_length = std::min<u64>(out.size(), zero_end - offset);
    std::memset(out.data(), 0, zero_length);
    out = out.subspan(zero_length);
    offset += zero_length;
    const u64 until_zeros = next == zeros_.end() ? out.size() : next->first - offset;
    const auto piece = out.first(std::min<u64>(out.size(), until_zeros));
    VDISK_TRY(read_base(offset, piece));
    out = out.subspan(piece.size());
    offset += piece.size();
  }
  return {};
}

Status OverlayFile::read_base(u64 offset, std::span<std::byte> out) const {
  const u64 inside = offset < base_size_ ? std::min<u64>(out.size(), base_size_ - offset) : 0;
  if (inside > 0) VDISK_TRY(base_->read_at(offset, out.first(inside)));
  std::ranges::fill(out.subspan(inside), std::byte{});
  return {};
}

Status OverlayFile::write_at(u64 offset, std::span<const std::byte> data) {
  const std::scoped_lock lock(mutex_);
  const auto end = checked_add(offset, data.size());
  if (!end) return fail_at(offset, Errc::file_system_limit, "write behind the largest offset");
  while (!data.empty()) {
    const u64 until_page_end = page_size - offset % page_size;
    const auto piece = data.first(std::min<u64>(data.size(), until_page_end));
    VDISK_TRY(write_inside_page(offset, piece));
    data = data.subspan(piece.size());
    offset += piece.size();
  }
  size_ = std::max(size_, *end);
  return {};
}

Status OverlayFile::write_inside_page(u64 offset, std::span<const std::byte> data) {
  const u64 start = round_down(offset, page_size);
  auto found = pages_.find(start);
  if (found == pages_.end()) {
    Page page;
    if (data.size() < page_size) VDISK_TRY(read_below_pages(start, page));
    found = pages_.emplace(start, page).first;
  }
  std::memcpy(found->second.data() + (offset - start), data.data(), data.size());
  return {};
}

Status OverlayFile::zero_at(u64 offset, u64 length) {
  const std::scoped_lock lock(mutex_);
  const auto end = checked_add(offset, length);
  if (!end) return fail_at(offset, Errc::file_system_limit, "zeros behind the largest offset");
  VDISK_TRY(zero_locked(offset, length));
  size_ = std::max(size_, *end);
  return {};
}

Status OverlayFile::punch_at(u64 offset, u64 length) {
  const std::scoped_lock lock(mutex_);
  if (offset >= size_) return {};
  return zero_locked(offset, std::min(length, size_ - offset));
}

Status OverlayFile::zero_locked(u64 offset, u64 length) {
  if (length == 0) return {};
  const Page zeros{};
  const u64 end = offset + length;
  const u64 first_whole = std::min(end, offset + (page_size - offset % page_size) % page_size);
  const u64 last_whole = std::max(first_whole, round_down(end, page_size));
  if (first_whole > offset) {
    VDISK_TRY(write_inside_page(offset, std::span(zeros).first(first_whole - offset)));
  }
  if (end > last_whole) {
    VDISK_TRY(write_inside_page(last_whole, std::span(zeros).first(end - last_whole)));
  }
  pages_.erase(pages_.lower_bound(first_whole), pages_.lower_bound(last_whole));
  hide_base(first_whole, last_whole);
  return {};
}

void OverlayFile::hide_base(u64 begin, u64 end) {
  if (begin >= end) return;
  auto next = zeros_.upper_bound(begin);
  if (next != zeros_.begin() && std::prev(next)->second >= begin) begin = (--next)->first;
  while (next != zeros_.end() && next->first <= end) {
    end = std::max(end, next->second);
    next = zeros_.erase(next);
  }
  zeros_.emplace(begin, end);
}

Status OverlayFile::copy_from(const File& source, u64 source_offset, u64 target_offset,
                              u64 length) {
  return copy_by_loop(source, *this, {source_offset, target_offset, length});
}

Result<u64> OverlayFile::size() const {
  const std::shared_lock lock(mutex_);
  return size_;
}

Status OverlayFile::resize(u64 new_size) {
  const std::scoped_lock lock(mutex_);
  // What is cut off must not come back from the base when the file grows again.
  if (new_size < size_) VDISK_TRY(zero_locked(new_size, size_ - new_size));
  size_ = new_size;
  return {};
}

Result<Hole> OverlayFile::next_hole(u64 offset) const {
  const std::shared_lock lock(mutex_);
  while (offset < std::min(base_size_, size_)) {
    VDISK_ASSIGN(const Hole hole, base_->next_hole(offset));
    if (hole.length == 0) break;
    const u64 begin = std::max(hole.offset, offset);
    const u64 end = std::min(hole.offset + hole.length, size_);
    const auto page = pages_.lower_bound(round_down(begin, page_size));
    if (page == pages_.end() || page->first >= end) return Hole{begin, end - begin};
    if (page->first > begin) return Hole{begin, page->first - begin};
    offset = page->first + page_size;
  }
  return Hole{size_, 0};
}

}  // namespace vdisk
