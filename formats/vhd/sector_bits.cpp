/// Bit runs, whole bytes at a time.
#include "formats/vhd/sector_bits.h"

namespace vdisk::vhd {

namespace {
constexpr u64 bits_per_byte = 8;
constexpr std::byte all_set{0xFF};

std::byte mask_of(u64 index) {
  return std::byte{0x80} >> (index % bits_per_byte);
}
}  // namespace

bool bit_at(std::span<const std::byte> bitmap, u64 index) noexcept {
  return (bitmap[index / bits_per_byte] & mask_of(index)) != std::byte{};
}

u64 run_of_equal_bits(std::span<const std::byte> bitmap, BitRange range) noexcept {
  const bool value = bit_at(bitmap, range.first);
  const std::byte whole = value ? all_set : std::byte{};
  const u64 end = range.first + range.count;
  u64 at = range.first;
  while (at < end) {
    if (at % bits_per_byte == 0 && end - at >= bits_per_byte &&
        bitmap[at / bits_per_byte] == whole) {
      at += bits_per_byte;
    } else if (bit_at(bitmap, at) == value) {
      ++at;
    } else {
      break;
    }
  }
  return at - range.first;
}

bool all_bits_set(std::span<const std::byte> bitmap, BitRange range) noexcept {
  return range.count == 0 ||
         (bit_at(bitmap, range.first) && run_of_equal_bits(bitmap, range) == range.count);
}

void set_bits(std::span<std::byte> bitmap, BitRange range) noexcept {
  const u64 end = range.first + range.count;
  for (u64 at = range.first; at < end;) {
    if (at % bits_per_byte == 0 && end - at >= bits_per_byte) {
      bitmap[at / bits_per_byte] = all_set;
      at += bits_per_byte;
    } else {
      bitmap[at / bits_per_byte] |= mask_of(at);
      ++at;
    }
  }
}

}  // namespace vdisk::vhd
