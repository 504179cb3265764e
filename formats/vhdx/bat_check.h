/// The part of check that walks over the BAT: X37..X44, overlaps, leaks, holes.
#pragma once

#include <optional>

#include "formats/vhdx/file_map.h"
#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

/// `repairable`: the file can be opened for writing once its other structures were repaired, so
/// that findings say what repair would do. Errors: io only; broken rules become findings.
[[nodiscard]] Status check_bat(const File& file, const Layout& layout, bool repairable,
                               CheckReport& report);

/// Where the file may be cut because nothing but zeros that belong to nothing follow. None in a
/// fixed disk, whose room is its own. Errors: io.
[[nodiscard]] Result<std::optional<u64>> find_cuttable_end(const File& file, const Layout& layout,
                                                           const FileMap& space);

}  // namespace vdisk::vhdx
