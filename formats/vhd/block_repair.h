/// The part of a repair that changes the BAT and moves blocks.
#pragma once

#include "formats/vhd/layout.h"
#include "vdisk/format.h"

namespace vdisk::vhd {

/// Requires sound footers and a sound header; `layout` follows the end footer as it moves.
Status repair_blocks(File& file, Layout& layout, RepairReport& report);

}  // namespace vdisk::vhd
