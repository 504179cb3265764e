#include "formats/vhdx/sector_bitmap.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 bits_per_byte = 8;
constexpr u64 bits_per_word = 64;

bool bit_at(std::span<const std::byte> bits, u64 index) noexcept {
  return (std::to_integer<u32>(bits[index / bits_per_byte]) >> index % bits_per_byte & 1) != 0;
}

/// Ones in bits [low, high) of a byte; high <= 8.
std::byte mask(u64 low, u64 high) noexcept {
  return static_cast<std::byte>((0xFFu << low) & (0xFFu >> (bits_per_byte - high)));
}

/// How many bits of the word at `first` (a multiple of 8), from the lowest on, equal `set`.
u64 equal_bits_of_word(std::span<const std::byte> bits, u64 first, bool set) noexcept {
  u64 word = load<u64>(bits.subspan(first / bits_per_byte));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return static_cast<u64>(set ? std::countr_one(word) : std::countr_zero(word));
}

}  // namespace

BitRun bit_run(std::span<const std::byte> bits, u64 first, u64 limit) noexcept {
  const bool set = bit_at(bits, first);
  const u64 end = first + limit;
  u64 at = first + 1;
  while (at < end) {
    const bool whole_word = at % bits_per_byte == 0 && at + bits_per_word <= end;
    if (whole_word) {
      const u64 equal = equal_bits_of_word(bits, at, set);
      at += equal;
      if (equal != bits_per_word) break;
    } else if (bit_at(bits, at) == set) {
      ++at;
    } else {
      break;
    }
  }
  return {set, at - first};
}

void fill_bits(std::span<std::byte> bits, u64 first, u64 count, bool set) noexcept {
  const u64 end = first + count;
  for (u64 at = first; at < end;) {
    const u64 index = at / bits_per_byte;
    const u64 next = std::min(end, (index + 1) * bits_per_byte);
    const std::byte bits_here = mask(at - index * bits_per_byte, next - index * bits_per_byte);
    if (set) {
      bits[index] |= bits_here;
    } else {
      bits[index] &= ~bits_here;
    }
    at = next;
  }
}

}  // namespace vdisk::vhdx
