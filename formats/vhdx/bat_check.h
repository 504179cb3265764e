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

/// Where the file may be cut because only leaked space follows. None in a damaged file, whose
/// leaks may be all that is left of a lost block, and in a fixed disk, whose room is its own.
[[nodiscard]] std::optional<u64> cuttable_end(const Layout& layout, const FileMap& space,
                                              const CheckReport& report);

}  // namespace vdisk::vhdx
