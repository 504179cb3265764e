/// Planning a repair: it is done to a view of the file, looked at, and proved harmless before a
/// single byte of the file changes.
#pragma once

#include <memory>

#include "engine/readable.h"
#include "vdisk/operations.h"

namespace vdisk {

struct PlannedRepair {
  std::shared_ptr<PlannedFile> plan;
  CheckReport before;
  CheckReport after;  ///< of the view: what is left
  RepairReport report;
  ReadableComparison readable;
};

/// Changes nothing. Errors: io; internal when the plan would lose something that can be read.
[[nodiscard]] Result<PlannedRepair> plan_repair(std::shared_ptr<File> file, const Format& format,
                                                Progress& progress);

}  // namespace vdisk
