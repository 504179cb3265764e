/// What belongs to a file beside its content.
#pragma once

#include <filesystem>

namespace vdisk {

/// Gives a file that will replace another one the owner, group, permission bits and extended
/// attributes of that one, as far as this process may. A target that does not exist changes
/// nothing.
void keep_attributes(int descriptor, const std::filesystem::path& target);

}  // namespace vdisk
