/// repair: puts right what is redundant or provably meaningless (DESIGN section 4, docs/check.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// Errors: io only; what cannot be repaired is left as it is.
Status repair_image(File& file, RepairReport& report);

}  // namespace vdisk::vhd
