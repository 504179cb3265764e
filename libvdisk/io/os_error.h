/// Turning errno into an Error.
#pragma once

#include <string_view>

#include "vdisk/error.h"

namespace vdisk {

/// The code of a failed system call.
[[nodiscard]] Errc errc_of(int os_error) noexcept;
/// `<name>: <action>: <text of the system>`.
[[nodiscard]] std::unexpected<Error> fail_os(int os_error, std::string_view name,
                                             std::string_view action);

}  // namespace vdisk
