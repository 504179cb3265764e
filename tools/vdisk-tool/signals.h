/// Signals: an interruption cancels cleanly, a second one kills.
#pragma once

#include "vdisk/error.h"

namespace vdisk::tool {

/// Installs the handlers and makes sure that descriptors 0, 1 and 2 are taken, so that no image is
/// ever opened under one of these numbers. Called once, before any thread starts.
void prepare_process();

/// The number of the first of SIGINT, SIGTERM, SIGHUP that came; 0 while none did.
[[nodiscard]] int received_signal() noexcept;

/// Errc::canceled once a signal came.
[[nodiscard]] Status check_interrupted();

}  // namespace vdisk::tool
