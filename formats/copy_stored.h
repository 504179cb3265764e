/// Copying a block inside its file.
#pragma once

#include "vdisk/file.h"

namespace vdisk {

/// Copies what is stored of [from, from + length) to a place that reads as zeros: holes stay holes.
/// The ranges must not overlap.
Status copy_stored(File& file, u64 from, u64 to, u64 length);

}  // namespace vdisk
