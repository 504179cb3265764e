/// Version of the library.
#pragma once

#include <string_view>

#pragma GCC visibility push(default)
namespace vdisk {
/// "major.minor.patch".
[[nodiscard]] std::string_view version() noexcept;
}  // namespace vdisk
#pragma GCC visibility pop
