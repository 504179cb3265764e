/// Ranges of the guest's disk as verbs take them.
#pragma once

#include <optional>
#include <string_view>

#include "vdisk/error.h"

namespace vdisk::tool {

/// What was asked for.
struct RangeOptions {
  u64 offset = 0;
  std::optional<u64> length = {};  ///< unset: to the end of the disk
};

struct GuestRange {
  u64 offset = 0;
  u64 length = 0;
};

/// The range, inside a disk of `disk_size` bytes. Errors: end_of_file, naming `path` and the size.
[[nodiscard]] Result<GuestRange> resolve_range(u64 disk_size, std::string_view path,
                                               const RangeOptions& options);

}  // namespace vdisk::tool
