/// Digests of the guest's content.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/operations.h"

namespace vdisk {

/// The digest of the first `size` bytes; what lies behind the end of the disk counts as zeros.
/// Advances the progress by `size`.
Result<Digest> digest_content(const Disk& disk, u64 size, DigestAlgorithm algorithm,
                              Progress& progress);

}  // namespace vdisk
