#include "engine/dirty_chunks.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"

namespace vdisk {

namespace {

constexpr u64 word_bits = 64;

u64 chunk_size_for(u64 size) {
  u64 chunk = DirtyChunks::smallest_chunk;
  while (size / chunk >= DirtyChunks::most_chunks) chunk *= 2;
  return chunk;
}

/// The bits of one word from `first` up to `last`, both included.
u64 bits_between(u64 first, u64 last) {
  const u64 from_first = ~u64{0} << first;
  return from_first & (~u64{0} >> (word_bits - 1 - last));
}

}  // namespace

DirtyChunks::DirtyChunks(u64 size)
    : size_(size),
      chunk_size_(chunk_size_for(size)),
      chunk_count_(size / chunk_size_ + (size % chunk_size_ == 0 ? 0 : 1)),
      words_(chunk_count_ / word_bits + 1) {}

void DirtyChunks::mark(u64 offset, u64 length) noexcept {
  if (offset >= size_ || length == 0) return;
  const u64 first = offset / chunk_size_;
  const u64 last = (offset + std::min(length, size_ - offset) - 1) / chunk_size_;
  const std::lock_guard lock(mutex_);
  for (u64 word = first / word_bits; word <= last / word_bits; ++word) {
    const u64 begin = word == first / word_bits ? first % word_bits : 0;
    const u64 end = word == last / word_bits ? last % word_bits : word_bits - 1;
    const u64 added = bits_between(begin, end) & ~words_[word];
    words_[word] |= added;
    dirty_count_ += static_cast<u64>(std::popcount(added));
  }
}

std::optional<GuestRange> DirtyChunks::take(u64 from, u64 limit) {
  const std::lock_guard lock(mutex_);
  const u64 first = next_dirty(from / chunk_size_);
  if (first >= chunk_count_) return std::nullopt;
  const u64 most = std::max<u64>(limit / chunk_size_, 1);
  u64 end = first;
  while (end < chunk_count_ && end - first < most && test(end)) {
    words_[end / word_bits] &= ~(u64{1} << (end % word_bits));
    ++end;
  }
  dirty_count_ -= end - first;
  return GuestRange{first * chunk_size_, std::min(end * chunk_size_, size_)};
}

u64 DirtyChunks::dirty_bytes() const {
  const std::lock_guard lock(mutex_);
  return std::min(dirty_count_ * chunk_size_, size_);
}

bool DirtyChunks::test(u64 index) const {
  return (words_[index / word_bits] & (u64{1} << (index % word_bits))) != 0;
}

u64 DirtyChunks::next_dirty(u64 index) const {
  while (index < chunk_count_) {
    const u64 rest = words_[index / word_bits] >> (index % word_bits);
    if (rest != 0) return index + static_cast<u64>(std::countr_zero(rest));
    index = (index / word_bits + 1) * word_bits;
  }
  return chunk_count_;
}

}  // namespace vdisk
