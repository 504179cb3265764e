/// The part of dump that shows the metadata region.
#pragma once

#include "formats/vhdx/region_table.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Table entries, known values and the parent locator, as stored.
[[nodiscard]] Status dump_metadata(const File& file, const Region& region,
                                   const StructureSink& sink);

}  // namespace vdisk::vhdx
