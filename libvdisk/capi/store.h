/// Storage of the caller as a FileSystem of the library.
#pragma once

#include <memory>

#include "vdisk.h"
#include "vdisk/file.h"

namespace vdisk::capi {

/// Errors: invalid_argument when a call that is always needed is missing.
Result<std::shared_ptr<FileSystem>> store_file_system(const vdisk_store* store);

}  // namespace vdisk::capi
