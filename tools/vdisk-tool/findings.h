/// Findings of a check, and what was or would be done about them, in words and in JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "vdisk/operations.h"

namespace vdisk::tool {

[[nodiscard]] nlohmann::ordered_json findings_document(const CheckReport& report);

[[nodiscard]] nlohmann::ordered_json check_document(const LayerReport& layer);
void print_check(const LayerReport& layer);

[[nodiscard]] nlohmann::ordered_json repair_document(const RepairOptions& options,
                                                     const Repaired& repaired);
void print_repair(const RepairOptions& options, const Repaired& repaired);

[[nodiscard]] nlohmann::ordered_json undo_document(const UndoOptions& options,
                                                   const Undone& undone);
void print_undo(const UndoOptions& options, const Undone& undone);

}  // namespace vdisk::tool
