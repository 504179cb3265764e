/// Checksums of the formats, and the test for zeros.
#pragma once

#include <span>

#include "vdisk/types.h"

namespace vdisk {

/// CRC-32C (Castagnoli) of a buffer; `seed` is the CRC of what came before (FORMATS 2.1).
[[nodiscard]] u32 crc32c(std::span<const std::byte> data, u32 seed = 0) noexcept;
/// The same with four bytes at `hole` counted as zero: the checksum field itself.
[[nodiscard]] u32 crc32c_without_field(std::span<const std::byte> data, std::size_t hole) noexcept;
/// CRC-32 (ISO 3309) of a buffer, as GPT uses it.
[[nodiscard]] u32 crc32(std::span<const std::byte> data) noexcept;
/// VHD: bitwise NOT of the sum of all bytes, four bytes at `hole` counted as zero (FORMATS 1.6).
[[nodiscard]] u32 vhd_checksum(std::span<const std::byte> data, std::size_t hole) noexcept;
/// Whether every byte is zero. True for an empty range.
[[nodiscard]] bool is_zero(std::span<const std::byte> data) noexcept;

}  // namespace vdisk
