/// Moving what upper layers of a chain hold into a layer below them, or into a new image.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/progress.h"

namespace vdisk {

/// `upper` are the layers alone, without their parents; `target` is at least `size` bytes large.
/// Every byte of the layers is read once at most; what they do not say is left as it is. Advances
/// the progress by `size`. The number of bytes moved.
Result<u64> move_layers(const Disk& upper, Disk& target, u64 size, Progress& progress);

/// Whether the target reads already as it would after move_layers(). Advances by `size`.
Result<bool> is_moved(const Disk& upper, const Disk& target, u64 size, Progress& progress);

}  // namespace vdisk
