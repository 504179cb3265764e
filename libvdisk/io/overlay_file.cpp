#include "io/overlay_file.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/copy_loop.h"

namespace vdisk {

namespace {
/// How much is copied between two looks for a cancel.
constexpr u64 copy_piece = 16 * mib;
}  // namespace

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

OverlayFile::Segment OverlayFile::segment_at(u64 offset, u64 end) const {
  const u64 start = round_down(offset, page_size);
  const auto page = pages_.lower_bound(start);
  if (page == pages_.end()) return segment_below_pages(offset, end);
  if (page->first != start) return segment_below_pages(offset, std::min(end, page->first));
  return {.kind = Segment::Kind::page,
          .length = std::min(end, start + page_size) - offset,
          .page = page->second.data() + (offset - start)};
}

OverlayFile::Segment OverlayFile::segment_below_pages(u64 offset, u64 end) const {
  const auto next = covers_.upper_bound(offset);
  if (next != covers_.begin() && std::prev(next)->second.end > offset) {
    const auto& [begin, cover] = *std::prev(next);
    const u64 length = std::min(end, cover.end) - offset;
    if (!cover.base_offset) return {.length = length};
    return {.kind = Segment::Kind::base,
            .length = length,
            .base_offset = *cover.base_offset + (offset - begin)};
  }
  if (next != covers_.end()) end = std::min(end, next->first);
  if (offset >= base_size_) return {.length = end - offset};
  return {.kind = Segment::Kind::base,
          .length = std::min(end, base_size_) - offset,
          .base_offset = offset};
}

Status OverlayFile::read_segment(const Segment& segment, std::span<std::byte> out) const {
  switch (segment.kind) {
    case Segment::Kind::page: std::memcpy(out.data(), segment.page, out.size()); return {};
    case Segment::Kind::zeros: std::memset(out.data(), 0, out.size()); return {};
    case Segment::Kind::base: break;
  }
  return base_->read_at(segment.base_offset, out);
}

Status OverlayFile::read_locked(u64 offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const Segment segment = segment_at(offset, offset + out.size());
    VDISK_TRY(read_segment(segment, out.first(segment.length)));
    out = out.subspan(segment.length);
    offset += segment.length;
  }
  return {};
}

Status OverlayFile::read_below_pages(u64 offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const Segment segment = segment_below_pages(offset, offset + out.size());
    VDISK_TRY(read_segment(segment, out.first(segment.length)));
    out = out.subspan(segment.length);
    offset += segment.length;
  }
  return {};
}

Status OverlayFile::write_at(u64 offset, std::span<const std::byte> data) {
  const std::scoped_lock lock(mutex_);
  const auto end = checked_add(offset, data.size());
  if (!end) return fail_at(offset, Errc::file_system_limit, "write behind the largest offset");
  VDISK_TRY(write_locked(offset, data));
  size_ = std::max(size_, *end);
  return {};
}

Status OverlayFile::write_locked(u64 offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const u64 until_page_end = page_size - offset % page_size;
    const auto piece = data.first(std::min<u64>(data.size(), until_page_end));
    VDISK_TRY(write_inside_page(offset, piece));
    data = data.subspan(piece.size());
    offset += piece.size();
  }
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
  cover(first_whole, last_whole, std::nullopt);
  return {};
}

/// Whole pages. Neighbours that go on where this one begins or ends become one cover.
void OverlayFile::cover(u64 begin, u64 end, std::optional<u64> base_offset) {
  if (begin >= end) return;
  pages_.erase(pages_.lower_bound(begin), pages_.lower_bound(end));
  uncover(begin, end);
  const auto continues = [](u64 first, const Cover& a, const std::optional<u64>& b) {
    return a.base_offset ? b == *a.base_offset + (a.end - first) : !b;
  };
  const auto next = covers_.find(end);
  if (next != covers_.end() && continues(begin, {end, base_offset}, next->second.base_offset)) {
    end = next->second.end;
    covers_.erase(next);
  }
  const auto after = covers_.lower_bound(begin);
  if (after != covers_.begin()) {
    auto& [first, before] = *std::prev(after);
    if (before.end == begin && continues(first, before, base_offset)) {
      before.end = end;
      return;
    }
  }
  covers_.emplace(begin, Cover{end, base_offset});
}

void OverlayFile::uncover(u64 begin, u64 end) {
  auto at = covers_.upper_bound(begin);
  if (at != covers_.begin()) --at;
  while (at != covers_.end() && at->first < end) {
    const auto [first, old] = *at;
    if (old.end <= begin) {
      ++at;
      continue;
    }
    at = covers_.erase(at);
    if (first < begin) covers_.emplace(first, Cover{begin, old.base_offset});
    if (old.end <= end) continue;
    Cover rest = old;
    if (rest.base_offset) *rest.base_offset += end - first;
    covers_.emplace(end, rest);
  }
}

Status OverlayFile::copy_from(const File& source, u64 source_offset, u64 target_offset,
                              u64 length) {
  if (&source != this) return copy_by_loop(source, *this, {source_offset, target_offset, length});
  const std::scoped_lock lock(mutex_);
  if (!lies_within(source_offset, length, 0, size_)) {
    return fail_at(source_offset, Errc::end_of_file, "copy from behind the end of the view");
  }
  const u64 end = source_offset + length;
  while (source_offset < end) {
    const Segment segment = segment_at(source_offset, end);
    VDISK_TRY(copy_segment(segment, target_offset));
    source_offset += segment.length;
    target_offset += segment.length;
  }
  size_ = std::max(size_, target_offset);
  return {};
}

/// Whole pages of the base become covers, the rest is copied.
Status OverlayFile::copy_segment(const Segment& segment, u64 target_offset) {
  if (segment.kind == Segment::Kind::zeros) return zero_locked(target_offset, segment.length);
  if (segment.kind == Segment::Kind::page) {
    return write_locked(target_offset, std::span(segment.page, segment.length));
  }
  const u64 end = target_offset + segment.length;
  const u64 first_whole = std::min(end, round_up(target_offset, page_size));
  const u64 last_whole = std::max(first_whole, round_down(end, page_size));
  Page edge;
  const auto copy_edge = [&](u64 from, u64 to) -> Status {
    const auto bytes = std::span(edge).first(to - from);
    VDISK_TRY(base_->read_at(segment.base_offset + (from - target_offset), bytes));
    return write_locked(from, bytes);
  };
  VDISK_TRY(copy_edge(target_offset, first_whole));
  cover(first_whole, last_whole, segment.base_offset + (first_whole - target_offset));
  return copy_edge(last_whole, end);
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
  while (offset < size_) {
    const Segment segment = segment_at(offset, size_);
    if (segment.kind == Segment::Kind::zeros) return Hole{offset, segment.length};
    if (segment.kind == Segment::Kind::base) {
      VDISK_ASSIGN(const Hole hole, base_->next_hole(segment.base_offset));
      const u64 end = segment.base_offset + segment.length;
      if (hole.length != 0 && hole.offset < end) {
        return Hole{offset + (hole.offset - segment.base_offset),
                    std::min(hole.length, end - hole.offset)};
      }
    }
    offset += segment.length;
  }
  return Hole{size_, 0};
}

Status OverlayFile::write_to(File& target, const Advance& advance) const {
  const std::shared_lock lock(mutex_);
  VDISK_TRY(target.resize(size_));
  for (u64 offset = 0; offset < size_;) {
    const Segment segment = segment_at(offset, size_);
    if (segment.kind == Segment::Kind::base) {
      VDISK_TRY(write_base_to(target, offset, segment, advance));
    } else {
      if (segment.kind == Segment::Kind::page) {
        VDISK_TRY(target.write_at(offset, std::span(segment.page, segment.length)));
      }
      VDISK_TRY(advance(segment.length));
    }
    offset += segment.length;
  }
  return {};
}

Status OverlayFile::write_base_to(File& target, u64 offset, const Segment& segment,
                                  const Advance& advance) const {
  for (u64 done = 0; done < segment.length;) {
    const u64 place = segment.base_offset + done;
    u64 step = std::min(segment.length - done, copy_piece);
    VDISK_ASSIGN(const Hole hole, base_->next_hole(place));
    if (hole.length != 0 && hole.offset == place) {
      step = std::min(segment.length - done, hole.length);
    } else {
      if (hole.length != 0) step = std::min(step, hole.offset - place);
      VDISK_TRY(target.copy_from(*base_, place, offset + done, step));
    }
    done += step;
    VDISK_TRY(advance(step));
  }
  return {};
}

}  // namespace vdisk
