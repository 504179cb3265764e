/// Copying the guest's content of one disk into another.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/progress.h"

namespace vdisk {

struct CopyOptions {
  /// Let the host share storage between source and target where it can. Shared ranges are taken
  /// over as they are: zeros that the source stores are stored in the target as well.
  bool clone = false;
};

struct CopyCounts {
  u64 written_bytes = 0;
  u64 cloned_bytes = 0;
};

/// Writes everything that is not zero into `target`, which must read as zeros and be at least as
/// large. Sparse in, sparse out. Advances the progress by source.size() bytes in total.
Result<CopyCounts> copy_content(const Disk& source, Disk& target, const CopyOptions& options,
                                Progress& progress);

}  // namespace vdisk
