/// Shows the structures of a VHDX field by field, as they are stored.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Hands file identifier, headers, region tables, metadata, parent locator, log entries and runs of
/// the BAT to the sink. Damaged structures are shown as far as they can be read.
/// Errors: io, and those of the sink.
[[nodiscard]] Status dump(const File& file, const StructureSink& sink);

}  // namespace vdisk::vhdx
