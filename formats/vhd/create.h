/// Laying out new images (FORMATS 1.15).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhd {

/// Errors: invalid_argument.
Status complete_spec(CreateSpec& spec);
/// Requires a completed spec. Errors: io, invalid_argument (parent paths).
Status create_image(File& file, const CreateSpec& spec);

}  // namespace vdisk::vhd
