/// Arithmetic on the bits of a sector bitmap: bit b is byte b/8, least significant first
/// (FORMATS 2.6.2). 1: the sector is in this file; 0: ask the parent.
///
/// Pure functions over one piece of a bitmap; which piece holds which sector is the map's business.
#pragma once

#include <span>

#include "vdisk/types.h"

namespace vdisk::vhdx {

/// Neighbouring bits of one value.
struct BitRun {
  bool set = false;
  u64 count = 0;
};

/// The run of equal bits that begins at `first`, at most `limit` bits (> 0).
/// Requires first + limit <= 8 * bits.size().
[[nodiscard]] BitRun bit_run(std::span<const std::byte> bits, u64 first, u64 limit) noexcept;

/// Gives `count` bits from `first` on the value `set`. Requires first + count <= 8 * bits.size().
void fill_bits(std::span<std::byte> bits, u64 first, u64 count, bool set) noexcept;

}  // namespace vdisk::vhdx
