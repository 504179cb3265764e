/// Version of the library.
#pragma once

#include <string_view>

namespace vdisk {
/// "major.minor.patch".
[[nodiscard]] std::string_view version() noexcept;
}  // namespace vdisk
