/// Time stamps of VHD: seconds since 2000-01-01 00:00:00 UTC in 32 bits (FORMATS 1.2).
#pragma once

#include <limits>

#include "vdisk/types.h"

namespace vdisk::vhd {

inline constexpr i64 vhd_epoch = 946684800;  ///< in seconds since 1970

[[nodiscard]] constexpr i64 to_unix_time(u32 time_stamp) noexcept {
  return vhd_epoch + i64{time_stamp};
}
/// Saturates: times before 2000 become 0, times after 2136 the largest value.
[[nodiscard]] constexpr u32 to_time_stamp(i64 unix_time) noexcept {
  if (unix_time <= vhd_epoch) return 0;
  constexpr i64 last = i64{std::numeric_limits<u32>::max()};
  if (unix_time > last + vhd_epoch) return std::numeric_limits<u32>::max();
  return static_cast<u32>(unix_time - vhd_epoch);
}

}  // namespace vdisk::vhd
