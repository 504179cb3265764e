/// Names that lead to one file: symbolic and hard links of the host. Storage of the caller has
/// none that are known here.
#pragma once

#include <filesystem>

#include "vdisk/disk.h"

namespace vdisk {

/// Where the file itself stands when `path` is a symbolic link; else `path` as it is.
Result<std::filesystem::path> real_name(const std::filesystem::path& path,
                                        const OpenOptions& options);

/// Whether a file of the host was opened through a symbolic link.
[[nodiscard]] bool is_link(const std::filesystem::path& path, const File& opened);

/// How many hard links a file has; 1 where nobody knows.
[[nodiscard]] u64 count_of_names(const std::filesystem::path& path, const OpenOptions& options);

}  // namespace vdisk
