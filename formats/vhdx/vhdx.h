/// VHDX (version 2): fixed, dynamic and differencing (docs/formats/vhdx.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// The row of the VHDX format.
extern const Format format;

}  // namespace vdisk::vhdx
