#include "support/fake_image.h"

#include <algorithm>

#include "base/bytes.h"

namespace vdisk::test {

FakeImage::FakeImage(const FakeImageOptions& options)
    : options_(options),
      file_(std::make_shared<MemoryFile>("fake")),
      states_(options.size / sector, State::absent) {
  (void)file_->resize(options.size);
}

void FakeImage::fill(u64 offset, u64 length, u8 value) {
  const std::vector<std::byte> data(length, std::byte{value});
  (void)file_->write_at(offset, data);
  set_state(offset, length, State::data);
}

void FakeImage::set_state(u64 offset, u64 length, State state) {
  const std::scoped_lock lock(mutex_);
  const auto first = states_.begin() + static_cast<std::ptrdiff_t>(offset / sector);
  std::fill_n(first, length / sector, state);
}

Geometry FakeImage::geometry() const {
  return {.virtual_size = options_.size, .block_size = options_.block_size};
}

ImageInfo FakeImage::info() const {
  ImageInfo info{.format = "fake", .geometry = geometry()};
  info.type = options_.differencing ? ImageType::differencing : ImageType::dynamic;
  return info;
}

Result<Extent> FakeImage::extent_at(u64 offset, u64 limit) const {
  const std::scoped_lock lock(mutex_);
  const u64 end = std::min(offset + limit, options_.size);
  const State state = states_[offset / sector];
  u64 at = offset;
  while (at < end && states_[at / sector] == state) at = round_down(at, sector) + sector;
  return Extent{offset, std::min(at, end) - offset, state, offset};
}

Result<Extent> FakeImage::reserve(u64 offset, u64 limit) {
  const u64 until_block_end = options_.block_size - offset % options_.block_size;
  return Extent{offset, std::min(limit, until_block_end), State::data, offset};
}

Status FakeImage::commit(const Extent& written) {
  set_state(written.offset, written.length, State::data);
  return {};
}

Result<u64> FakeImage::discard(u64 offset, u64 length, State to) {
  const bool whole = is_aligned(offset, options_.block_size) && length >= options_.block_size;
  if (!options_.can_drop_blocks || !whole) return u64{0};
  const u64 dropped = round_down(length, options_.block_size);
  set_state(offset, dropped, to == State::zero || options_.differencing ? State::zero : to);
  return dropped;
}

Status FakeImage::flush() {
  ++calls_->flushes;
  if (fail_flush) return fail(Errc::io, "injected");
  return {};
}

Status FakeImage::expand(u64 new_size) {
  options_.size = new_size;
  states_.resize(new_size / sector, State::absent);
  return file_->resize(new_size);
}

Status FakeImage::shrink(u64 new_size) {
  return expand(new_size);
}

Status FakeImage::close() {
  ++calls_->closes;
  return {};
}

}  // namespace vdisk::test
