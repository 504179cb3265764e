#include "formats/vhdx/free_space.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"

namespace vdisk::vhdx {

namespace {
constexpr u64 word_bits = 64;
}

FreeSpace::FreeSpace(u64 file_size) : append_offset_(divide_up(file_size, mib) * mib) {}

bool FreeSpace::occupy(u64 offset, u64 length) {
  const u64 first = offset / mib;
  const u64 end = divide_up(offset + length, mib);
  if (any_taken(first, end)) return false;
  mark(first, end, true);
  append_offset_ = std::max(append_offset_, end * mib);
  return true;
}

Place FreeSpace::allocate(u64 length) {
  const u64 count = divide_up(length, mib);
  const auto hole = find_hole(count);
  if (!hole) return append(length);
  take_hole(*hole, count);
  return {*hole * mib, true};
}

std::optional<u64> FreeSpace::allocate_below(u64 length, u64 limit) {
  const u64 count = divide_up(length, mib);
  const auto hole = find_hole(count);
  if (!hole || (*hole + count) * mib > limit) return std::nullopt;
  take_hole(*hole, count);
  return *hole * mib;
}

Place FreeSpace::append(u64 length) {
  const u64 offset = append_offset_;
  append_offset_ += divide_up(length, mib) * mib;
  mark(offset / mib, append_offset_ / mib, true);
  return {offset, false};
}

void FreeSpace::release(u64 offset, u64 length) {
  mark(offset / mib, divide_up(offset + length, mib), false);
  first_free_ = std::min(first_free_, offset / mib);
}

u64 FreeSpace::unused_bytes() const {
  u64 taken = 0;
  for (const u64 word : words_) taken += static_cast<u64>(std::popcount(word));
  return std::min(used_end(), tracked_mib * mib) - taken * mib;
}

u64 FreeSpace::used_end() const {
  if (untracked_used_end_ != 0) return untracked_used_end_;
  const auto last =
      std::find_if(words_.rbegin(), words_.rend(), [](u64 word) { return word != 0; });
  if (last == words_.rend()) return 0;
  const auto index = static_cast<u64>(words_.rend() - last) - 1;
  return (index * word_bits + static_cast<u64>(std::bit_width(*last))) * mib;
}

bool FreeSpace::is_taken(u64 index) const {
  const u64 word = index / word_bits;
  return word < words_.size() && (words_[word] >> index % word_bits & 1) != 0;
}

bool FreeSpace::any_taken(u64 first, u64 end) const {
  const u64 tracked_end = std::min(end, words_.size() * word_bits);
  for (u64 index = first; index < tracked_end; ++index) {
    if (is_taken(index)) return true;
  }
  return false;
}

/// The first free index at or after `index`, or `end`.
u64 FreeSpace::next_free(u64 index, u64 end) const {
  while (index < end) {
    const u64 word = index / word_bits;
    if (word >= words_.size()) return index;
    const auto taken = static_cast<u64>(std::countr_one(words_[word] >> index % word_bits));
    const u64 next = index + taken;
    if (next / word_bits == word) return std::min(next, end);
    index = (word + 1) * word_bits;
  }
  return end;
}

void FreeSpace::mark(u64 first, u64 end, bool taken) {
  if (end > tracked_mib && taken) {
    untracked_used_end_ = std::max(untracked_used_end_, end * mib);
  }
  const u64 tracked_end = std::min(end, tracked_mib);
  if (taken && words_.size() * word_bits < tracked_end) {
    words_.resize(divide_up(tracked_end, word_bits));
  }
  for (u64 index = first; index < tracked_end && index / word_bits < words_.size(); ++index) {
    const u64 bit = u64{1} << index % word_bits;
    u64& word = words_[index / word_bits];
    word = taken ? word | bit : word & ~bit;
  }
}

void FreeSpace::take_hole(u64 first, u64 count) {
  mark(first, first + count, true);
  if (next_free(first_free_, first) == first) first_free_ = first + count;
}

/// The first run of `count` free MiB that lies before the place where space is appended.
std::optional<u64> FreeSpace::find_hole(u64 count) const {
  const u64 end = std::min(append_offset_ / mib, tracked_mib);
  u64 at = next_free(first_free_, end);
  while (at < end && count <= end - at) {
    u64 length = 1;
    while (length < count && !is_taken(at + length)) ++length;
    if (length == count) return at;
    at = next_free(at + length, end);
  }
  return std::nullopt;
}

}  // namespace vdisk::vhdx
