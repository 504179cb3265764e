/// Looking for bytes that are not zero.
#pragma once

#include <optional>
#include <span>

#include "engine/disk_core.h"
#include "vdisk/progress.h"

namespace vdisk {

/// Bytes of the guest's disk.
struct GuestRange {
  u64 begin = 0;
  u64 end = 0;  ///< exclusive
};

/// The first byte in the range that is not zero; bytes in `ignored` do not count. Costs what is
/// stored there. Advances the progress by the length of the range.
Result<std::optional<u64>> find_data(const Disk& disk, GuestRange range,
                                     std::span<const GuestRange> ignored, Progress& progress);

}  // namespace vdisk
