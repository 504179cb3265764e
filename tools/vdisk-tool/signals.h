/// Signals: an interruption cancels cleanly, a second one kills. Two within a fifth of a second
/// are one.
#pragma once

#include "vdisk/error.h"

namespace vdisk::tool {

/// Installs the handlers and makes sure that descriptors 0, 1 and 2 are taken, so that no image is
/// ever opened under one of these numbers. Called once, before any thread starts.
void prepare_process();

/// The number of the first of SIGINT, SIGTERM, SIGHUP that came; 0 while none did.
[[nodiscard]] int received_signal() noexcept;

/// How many of them came.
[[nodiscard]] int received_signal_count() noexcept;
/// For verbs that end well at the first signal: the second one is counted, and the third one kills.
void allow_second_signal() noexcept;

/// A thread of a job that may block on a pipe for as long as it lives: knock() ends its blocking
/// call, so that it can look at received_signal(). One at a time.
class Knockable {
 public:
  Knockable();
  ~Knockable();
  Knockable(const Knockable&) = delete;
  Knockable& operator=(const Knockable&) = delete;
};
/// Wakes the knockable thread, if there is one.
void knock();

/// Errc::canceled once a signal came.
[[nodiscard]] Status check_interrupted();

}  // namespace vdisk::tool
