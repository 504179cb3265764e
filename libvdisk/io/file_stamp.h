/// What the host says about a name, to see later whether its file changed.
#pragma once

#include <filesystem>

#include "vdisk/mirror.h"

namespace vdisk {

/// Follows links. Errors: those of FileSystem::identity.
Result<FileStamp> host_stamp(const std::filesystem::path& path);

}  // namespace vdisk
