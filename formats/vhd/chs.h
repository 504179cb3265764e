/// Disk geometry of VHD (FORMATS 1.4).
#pragma once

#include "vdisk/image.h"

namespace vdisk::vhd {

inline constexpr u32 max_cylinders = 65535;
inline constexpr u32 max_heads = 16;
inline constexpr u32 max_sectors_per_track = 255;

/// The geometry that the specification computes for a size; describes at most that many bytes.
[[nodiscard]] Chs chs_for_size(u64 virtual_size) noexcept;
/// Bytes that a geometry describes.
[[nodiscard]] u64 bytes_of_chs(const Chs& chs) noexcept;
/// Whether it is 65535/16/255, which says "larger than geometry can tell".
[[nodiscard]] bool is_largest_chs(const Chs& chs) noexcept;

}  // namespace vdisk::vhd
