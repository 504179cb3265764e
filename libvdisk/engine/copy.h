/// Copying the guest's content of one disk into another.
#pragma once

#include "engine/content.h"
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
  u64 zeroed_bytes = 0;  ///< of copy_over
};

/// Writes everything that is not zero into `target`, which must read as zeros and be at least as
/// large. Sparse in, sparse out. Advances the progress by source.size() bytes in total.
Result<CopyCounts> copy_content(const Disk& source, Disk& target, const CopyOptions& options,
                                Progress& progress);

/// Makes a range of `target` read as that of `source`, whatever it held: zeros are written as the
/// map of the target allows. The range begins at a multiple of 4 KiB, and ends at one or with the
/// source. Without cloning.
Result<CopyCounts> copy_over(const Disk& source, Disk& target, GuestRange range,
                             Progress& progress);

}  // namespace vdisk
