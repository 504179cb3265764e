/// The warning about disks that a virtual machine in saved state is bound to.
#pragma once

#include <filesystem>

#include "vdisk/disk.h"

namespace vdisk::tool {

/// A remark when the image at `path` belongs to a virtual machine in saved state.
void warn_about_saved_state(const std::filesystem::path& path, const LayerInfo& layer);
/// The same for an image that nobody has opened yet; nothing when it does not open.
void warn_about_saved_state(const std::filesystem::path& path);

}  // namespace vdisk::tool
