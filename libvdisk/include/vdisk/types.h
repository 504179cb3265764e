/// Integer names used everywhere in libvdisk. Offsets and lengths are 64-bit byte counts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vdisk {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;

inline constexpr u64 kib = 1024;
inline constexpr u64 mib = 1024 * kib;
inline constexpr u64 gib = 1024 * mib;
inline constexpr u64 tib = 1024 * gib;

}  // namespace vdisk
