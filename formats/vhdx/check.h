/// Checks a VHDX against the rules X1..X55 of FORMATS 5.2, without changing it.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Adds findings whose ids are the rules' names. A dirty log is a warning, and what is checked is
/// the state that its replay would leave. Memory: one bit for each MiB of the file.
/// Errors: io only.
[[nodiscard]] Status check(const File& file, CheckReport& report);

}  // namespace vdisk::vhdx
