/// Looking for bytes that are not zero.
#pragma once

#include <optional>
#include <span>

#include "engine/content.h"
#include "vdisk/progress.h"

namespace vdisk {

/// The first byte in the range that is not zero; bytes in `ignored` do not count. Costs what is
/// stored there. Advances the progress by the length of the range.
Result<std::optional<u64>> find_data(const Disk& disk, GuestRange range,
                                     std::span<const GuestRange> ignored, Progress& progress);

}  // namespace vdisk
