/// Copying between files by reading and writing: what every File falls back to.
#pragma once

#include "vdisk/file.h"

namespace vdisk {

struct CopyRange {
  u64 source_offset = 0;
  u64 target_offset = 0;
  u64 length = 0;
};

/// Copies a range in pieces. Ranges of one file must not overlap.
Status copy_by_loop(const File& source, File& target, const CopyRange& range);

}  // namespace vdisk
