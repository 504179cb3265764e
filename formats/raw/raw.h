/// Raw disks: the file is the guest's disk.
#pragma once

#include "vdisk/format.h"

namespace vdisk::raw {

/// The row of the raw format. Its probe never matches: raw is chosen by name or extension.
extern const Format format;

}  // namespace vdisk::raw
