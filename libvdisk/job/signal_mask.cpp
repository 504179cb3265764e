#include "job/signal_mask.h"

#include <pthread.h>

namespace vdisk::detail {

namespace {
/// Faults of the thread itself: blocking them would hide the place of a crash. SIGPROF belongs to
/// profilers.
constexpr int never_blocked[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
}  // namespace

BlockedSignals::BlockedSignals() noexcept {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int number : never_blocked) sigdelset(&blocked, number);
  pthread_sigmask(SIG_SETMASK, &blocked, &before_);
}

BlockedSignals::~BlockedSignals() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace vdisk::detail
