/// VHDX (version 2): fixed, dynamic and differencing (docs/formats/vhdx.md).
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Name of the format, as callers give it.
inline constexpr std::string_view format_name = "vhdx";

/// The row of the VHDX format.
extern const Format format;

}  // namespace vdisk::vhdx
