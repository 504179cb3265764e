/// What is said about a block whose BAT entry is not as it should be, by check and by repair.
#pragma once

#include <string>

#include "formats/vhd/block_survey.h"

namespace vdisk::vhd {

/// What is wrong.
[[nodiscard]] std::string message_of(const BlockFinding& found, const Layout& layout);
/// What a repair does about it; empty: nothing.
[[nodiscard]] std::string repair_of(const BlockFinding& found, const Layout& layout);

}  // namespace vdisk::vhd
