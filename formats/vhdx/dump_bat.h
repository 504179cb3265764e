/// The part of dump that shows the BAT, as runs of like entries.
#pragma once

#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

/// One structure for every few hundred runs; entries of value 0 are left out.
[[nodiscard]] Status dump_bat(const File& file, const Layout& layout, const StructureSink& sink);

}  // namespace vdisk::vhdx
