/// rebuild: for salvage, a view of a damaged file gets back what opening needs (docs/check.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// Footers, then the header; blocks are what the BAT says. The BAT itself cannot be rebuilt.
/// Errors: those of opening, io.
[[nodiscard]] Result<Rebuilt> rebuild_image(File& view, const RebuildHints& hints);

}  // namespace vdisk::vhd
