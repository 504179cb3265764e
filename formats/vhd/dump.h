/// Showing every structure of an image, field by field.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// As Format::dump. Damaged structures are shown as far as they go.
Status dump_image(const File& file, const StructureSink& sink);

}  // namespace vdisk::vhd
