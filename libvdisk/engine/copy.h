/// Copying the guest's content of one disk into another.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/progress.h"

namespace vdisk {

/// Writes everything that is not zero into `target`, which must read as zeros and be at least as
/// large. Sparse in, sparse out. Advances the progress by source.size() bytes in total.
Status copy_content(const Disk& source, Disk& target, Progress& progress);

}  // namespace vdisk
