/// First fit, with 4 KiB-aligned data.
#include "formats/vhd/free_space.h"

#include <algorithm>
#include <limits>

#include "base/bytes.h"

namespace vdisk::vhd {

FreeSpace::FreeSpace(const std::vector<u32>& sorted_blocks, const Layout& layout)
    : shape_(block_shape(layout)), tail_{layout.footer_offset, 0} {
  for_each_gap(sorted_blocks, layout, [&](FileRange range) {
    if (range.end() == layout.footer_offset) {
      tail_ = range;
    } else {
      keep_gap(range.offset, range.end());
    }
  });
}

std::optional<u64> FreeSpace::take() {
  if (const auto place = take_from_gap(std::numeric_limits<u64>::max())) return place;
  const u64 place = aligned_place(tail_.offset, shape_);
  if (place + shape_.footprint() > tail_.end()) return std::nullopt;
  tail_ = {place + shape_.footprint(), tail_.end() - place - shape_.footprint()};
  return place;
}

std::optional<u64> FreeSpace::take_from_tail(u64 length) {
  if (length > tail_.length) return std::nullopt;
  const u64 place = tail_.offset;
  tail_ = {place + length, tail_.length - length};
  return place;
}

std::optional<u64> FreeSpace::take_below(u64 limit, bool unaligned) {
  if (const auto place = take_from_gap(limit)) return place;
  if (!unaligned || gaps_.empty()) return std::nullopt;
  const auto first = gaps_.begin();  // every gap that is kept holds a block
  if (first->first + shape_.footprint() > limit) return std::nullopt;
  return take_at(first, first->first);
}

std::optional<u64> FreeSpace::take_from_gap(u64 limit) {
  for (auto gap = gaps_.lower_bound(next_gap_); gap != gaps_.end(); ++gap) {
    const auto [begin, length] = *gap;
    const u64 end = begin + length;
    const u64 place = aligned_place(begin, shape_);
    next_gap_ = begin;
    if (place > end || end - place < shape_.footprint()) continue;
    if (place + shape_.footprint() > limit) return std::nullopt;
    return take_at(gap, place);
  }
  return std::nullopt;
}

std::optional<u64> FreeSpace::take_at(Gaps::iterator gap, u64 place) {
  const auto [begin, length] = *gap;
  gaps_.erase(gap);
  keep_gap(begin, place);
  keep_gap(place + shape_.footprint(), begin + length);
  return place;
}

u64 FreeSpace::gap_bytes() const {
  u64 bytes = 0;
  for (const auto& [offset, length] : gaps_) bytes += length;
  return bytes;
}

void FreeSpace::give(FileRange range) {
  u64 begin = range.offset;
  u64 end = range.end();
  auto next = gaps_.lower_bound(begin);
  if (next != gaps_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == begin) {
      begin = before->first;
      gaps_.erase(before);
    }
  }
  if (next != gaps_.end() && next->first == end) {
    end += next->second;
    gaps_.erase(next);
  }
  if (end == tail_.offset) {
    tail_ = {begin, tail_.end() - begin};
  } else {
    keep_gap(begin, end);
  }
}

void FreeSpace::withdraw(FileRange range) {
  if (range.end() > tail_.offset && range.offset < tail_.end()) {
    const u64 end = tail_.end();
    keep_gap(tail_.offset, std::max(tail_.offset, range.offset));
    tail_ = {range.end(), end - std::min(end, range.end())};
  }
  auto gap = gaps_.lower_bound(range.offset);
  if (gap != gaps_.begin()) --gap;
  while (gap != gaps_.end() && gap->first < range.end()) {
    const auto [begin, length] = *gap;
    if (!overlaps(begin, length, range.offset, range.length)) {
      ++gap;
      continue;
    }
    gap = gaps_.erase(gap);
    keep_gap(begin, std::max(begin, range.offset));
    keep_gap(range.end(), std::max(range.end(), begin + length));
  }
}

void FreeSpace::keep_gap(u64 begin, u64 end) {
  if (end - begin < shape_.footprint()) return;
  gaps_.emplace(begin, end - begin);
  next_gap_ = std::min(next_gap_, begin);
}

}  // namespace vdisk::vhd
