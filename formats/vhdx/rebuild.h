/// rebuild: for salvage, a view of a damaged file gets back what opening needs (docs/check.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Signature, headers, region tables, metadata; blocks are what the BAT says. The BAT itself cannot
/// be rebuilt. Errors: those of opening, io.
[[nodiscard]] Result<Rebuilt> rebuild(File& view, const RebuildHints& hints);

}  // namespace vdisk::vhdx
