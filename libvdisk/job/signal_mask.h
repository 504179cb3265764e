/// Keeps signals away from the library's threads.
#pragma once

#include <csignal>

namespace vdisk::detail {

/// While it lives, this thread (and threads that it starts, for ever) receives no asynchronous
/// signal: the program's handlers run in the program's own threads.
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  ~BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace vdisk::detail
