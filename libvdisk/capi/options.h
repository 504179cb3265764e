/// Options of the C interface as those of the library.
#pragma once

#include "capi/store.h"
#include "vdisk.h"
#include "vdisk/operations.h"

namespace vdisk::capi {

Result<OpenOptions> open_options(const vdisk_open_options* given,
                                 Unlisted unlisted = Unlisted::refused);
Result<Target> target(const vdisk_target* given);
Result<MergeOptions> merge_options(const vdisk_merge_options* given);
Result<ConvertOptions> convert_options(const vdisk_convert_options* given);
Result<CompareOptions> compare_options(const vdisk_compare_options* given);
/// VDISK_FIXED ...
[[nodiscard]] uint32_t type_number(ImageType type);
/// Errors: invalid_argument for null or an empty name.
Result<std::filesystem::path> path_of(const char* name, const char* argument);

}  // namespace vdisk::capi
