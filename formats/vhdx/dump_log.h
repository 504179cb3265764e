/// The part of dump that shows the log.
#pragma once

#include "formats/vhdx/header.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Every valid entry of the current LogGuid; nothing when the log is empty.
[[nodiscard]] Status dump_log(const File& file, const Header& header, const StructureSink& sink);

}  // namespace vdisk::vhdx
