/// The inside of a MirrorSwitch: what the owner and the mirror tell each other.
#pragma once

#include <condition_variable>
#include <mutex>

#include "vdisk/mirror.h"
#include "vdisk/progress.h"

namespace vdisk {

/// Threads: all functions may be called concurrently.
struct MirrorSwitch::Core {
  void break_off();
  [[nodiscard]] bool broken() const;
  [[nodiscard]] MirrorState state() const;

  /// The source changed.
  void leave_step() noexcept;
  /// In step, if `nothing_left()` still holds now that leave_step() has to wait.
  template <class Question>
  bool arrive(const Question& nothing_left) {
    const std::lock_guard lock(mutex_);
    if (!nothing_left()) return false;
    note_arrival();
    return true;
  }
  void add_copied(u64 bytes);
  /// Empty: not behind any more.
  void set_behind(std::string why);

  /// Waits until it is broken off or out of step. Errors: canceled.
  Status wait_for_event(Progress& progress);
  /// Waits until it is broken off or the time is over; whether it is broken off. Errors: canceled.
  Result<bool> wait_for_break(std::chrono::milliseconds time, Progress& progress);

 private:
  void note_arrival();

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable event_;
  bool broken_ = false;
  MirrorState state_;
};

struct MirrorAccess {
  static MirrorSwitch::Core& core(const MirrorSwitch& owner) { return *owner.core_; }
};

}  // namespace vdisk
