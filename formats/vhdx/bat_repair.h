/// The part of a repair that changes the BAT, moves blocks, and gives the file its right length.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Requires a file that opens for writing. Guest data that can be read stay the same, so that
/// DataWriteGuid is kept. Errors: io.
Status repair_bat(File& file, RepairReport& report);

}  // namespace vdisk::vhdx
