/// What cannot be asked of a raw disk: it is bytes and nothing else.
#pragma once

#include <optional>
#include <string>

#include "vdisk/operations.h"

namespace vdisk::tool {

/// Refuses options that a raw disk has no place for, where the new image is one; `format_by_name`
/// is the format of its extension. Errors: invalid_argument.
[[nodiscard]] Status check_raw_target(const Target& target,
                                      const std::optional<std::string>& format_by_name);

}  // namespace vdisk::tool
