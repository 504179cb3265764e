/// VHD (version 1): fixed, dynamic and differencing (docs/formats/vhd.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// The row of the VHD format.
extern const Format format;

}  // namespace vdisk::vhd
