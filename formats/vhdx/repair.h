/// repair: puts right what is redundant or provably meaningless (DESIGN section 4, docs/check.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Errors: io only; what cannot be repaired is left as it is.
Status repair(File& file, RepairReport& report);

/// The part of it before the BAT: headers, log, region tables. False: the BAT must not be changed.
Result<bool> repair_structures(File& file, RepairReport& report);

}  // namespace vdisk::vhdx
