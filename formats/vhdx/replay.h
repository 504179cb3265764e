/// Log replay: everything is validated before the first byte is written (FORMATS 2.5.5).
///
/// Restartable: until the last header update the old LogGuid stays current, and applying a
/// sequence again gives the same bytes.
#pragma once

#include "formats/vhdx/header.h"
#include "formats/vhdx/log_scan.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// Whether a LogGuid is set. Errors: X1..X9.
[[nodiscard]] Result<bool> needs_recovery(const File& file);

/// A replay that has passed all rules and has not begun.
struct RecoveryPlan {
  HeaderPair headers;
  ActiveSequence sequence;
  u64 final_size = 0;  ///< of the file after the replay
};

/// Finds the active sequence and validates its targets. Writes nothing.
/// Errors: X1..X9, X11, X12, X14, X15, X55.
[[nodiscard]] Result<RecoveryPlan> plan_recovery(const File& file);

/// Replays the log and clears LogGuid; the metadata that result must pass read_layout, or nothing
/// is written. A clean file is left alone. Errors: those of plan_recovery and read_layout, io.
[[nodiscard]] Status recover(File& file);

}  // namespace vdisk::vhdx
