/// Names that lead to one file: symbolic and hard links of the host. Storage of the caller has
/// none that are known here.
#pragma once

#include <filesystem>

#include "vdisk/disk.h"

namespace vdisk {

/// Where the file itself stands when `path` is a symbolic link; else `path` as it is.
Result<std::filesystem::path> real_name(const std::filesystem::path& path,
                                        const OpenOptions& options);

/// How many hard links a file has; 1 where nobody knows.
[[nodiscard]] u64 count_of_names(const std::filesystem::path& path, const OpenOptions& options);

}  // namespace vdisk
