/// Storage of the caller as a FileSystem of the library.
#pragma once

#include <memory>

#include "vdisk.h"
#include "vdisk/file.h"

namespace vdisk::capi {

/// What to say about the other files of a store that offers no list of them.
enum class Unlisted {
  refused,         ///< unsupported: any of them may depend on an image
  taken_as_empty,  ///< the caller has forced it
};

/// Errors: invalid_argument when a call that is always needed is missing.
Result<std::shared_ptr<FileSystem>> store_file_system(const vdisk_store* store, Unlisted unlisted);

}  // namespace vdisk::capi
