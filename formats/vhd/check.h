/// Checking an image against every rule of FORMATS 5.1.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// As Format::check.
Status check_image(const File& file, CheckReport& report);

}  // namespace vdisk::vhd
