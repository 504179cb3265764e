/// Bits of a sector bitmap: one for each 512-byte sector, most significant bit first
/// (FORMATS 1.10).
#pragma once

#include <span>

#include "vdisk/types.h"

namespace vdisk::vhd {

/// Bits [first, first + count) of a bitmap.
struct BitRange {
  u64 first = 0;
  u64 count = 0;
};

[[nodiscard]] bool bit_at(std::span<const std::byte> bitmap, u64 index) noexcept;
/// How many bits from range.first on equal the first one, at most range.count.
[[nodiscard]] u64 run_of_equal_bits(std::span<const std::byte> bitmap, BitRange range) noexcept;
[[nodiscard]] bool all_bits_set(std::span<const std::byte> bitmap, BitRange range) noexcept;
void set_bits(std::span<std::byte> bitmap, BitRange range) noexcept;

}  // namespace vdisk::vhd
