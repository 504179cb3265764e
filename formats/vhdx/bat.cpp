#include "formats/vhdx/bat.h"

#include <algorithm>

#include "base/bytes.h"

namespace vdisk::vhdx {

namespace {
constexpr u64 state_mask = 0x7;
constexpr u64 offset_mask = ~(block_alignment - 1);
}  // namespace

u64 encode(BatEntry entry) {
  return (entry.state & state_mask) | (entry.file_offset & offset_mask);
}

BatEntry decode_bat_entry(u64 raw) {
  return BatEntry{static_cast<u8>(raw & state_mask), raw & offset_mask};
}

bool reserved_bits_clear(u64 raw) {
  return (raw & ~offset_mask & ~state_mask) == 0;
}

BatLayout::BatLayout(const BatGeometry& geometry)
    : virtual_size_(geometry.virtual_size),
      block_size_(geometry.block_size),
      chunk_ratio_(sectors_per_chunk * geometry.logical_sector_size / geometry.block_size),
      payload_block_count_(divide_up(geometry.virtual_size, geometry.block_size)),
      chunk_count_(divide_up(payload_block_count_, chunk_ratio_)) {
  entry_count_ = geometry.differencing
                     ? chunk_count_ * (chunk_ratio_ + 1)
                     : payload_block_count_ + (payload_block_count_ - 1) / chunk_ratio_;
}

u64 BatLayout::payload_length(u64 block) const {
  return std::min(block_size_, virtual_size_ - block * block_size_);
}

}  // namespace vdisk::vhdx
