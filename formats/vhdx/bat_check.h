/// The part of check that walks over the BAT: X37..X44, overlaps, leaks.
#pragma once

#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

/// Errors: io only; broken rules become findings.
[[nodiscard]] Status check_bat(const File& file, const Layout& layout, CheckReport& report);

}  // namespace vdisk::vhdx
