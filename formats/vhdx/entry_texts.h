/// What is said about a BAT entry that is not as it should be, by check and by repair.
#pragma once

#include <string>

#include "formats/vhdx/bat_survey.h"

namespace vdisk::vhdx {

/// The rule that it breaks, e.g. "X39".
[[nodiscard]] std::string rule_of(const EntryFinding& found, const Layout& layout);
/// What is wrong.
[[nodiscard]] std::string message_of(const EntryFinding& found, const Layout& layout);
/// What a repair does about it; empty: nothing.
[[nodiscard]] std::string repair_of(const EntryFinding& found, const Layout& layout);

}  // namespace vdisk::vhdx
