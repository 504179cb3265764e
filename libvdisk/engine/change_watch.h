/// Lets one watcher follow the changes of a disk: it is told of each one after it was made, whether
/// that went well or not, and may hold new ones up for a moment.
///
/// Invariants: a change that began after attach() had returned is told before its call returns;
/// nobody calls a watcher that was detached; while changes are held none is under way.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "vdisk/types.h"

namespace vdisk {

/// Threads: all functions may be called concurrently. Without a watcher a change costs two loads.
class ChangeWatch {
 public:
  class Watcher {
   public:
    Watcher() = default;
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    virtual ~Watcher() = default;
    /// The content of the range may be another one now. Called by the threads that change the disk,
    /// one at a time; the range may reach behind the end of the disk.
    virtual void changed(u64 offset, u64 length) noexcept = 0;
  };

  /// How a change was let in.
  enum class Entry {
    unwatched,  ///< there was no watcher
    watched,    ///< it is counted until it leaves
    refused,    ///< changes are held
  };

  ChangeWatch() = default;
  ChangeWatch(const ChangeWatch&) = delete;
  ChangeWatch& operator=(const ChangeWatch&) = delete;

  [[nodiscard]] Entry enter() {
    if (!watched_.load(std::memory_order_acquire)) return Entry::unwatched;
    return enter_watched();
  }
  /// Whoever entered leaves, after the change.
  void leave(Entry entry, u64 offset, u64 length) noexcept {
    if (entry == Entry::watched || watched()) leave_watched(entry, offset, length);
  }
  /// For a change that was refused.
  void wait_until_released();

  /// False, and nothing has happened, when somebody watches already. The caller then waits for the
  /// end of all changes that are under way: they may have entered unwatched.
  [[nodiscard]] bool attach(Watcher& watcher);
  /// Releases held changes, too.
  void detach() noexcept;
  [[nodiscard]] bool watched() const noexcept { return watched_.load(std::memory_order_acquire); }

  /// New changes are refused from now on; waits for the end of those that are under way.
  void hold();
  void release() noexcept;

 private:
  Entry enter_watched();
  void leave_watched(Entry entry, u64 offset, u64 length) noexcept;

  std::atomic<bool> watched_ = false;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable released_or_left_;
  Watcher* watcher_ = nullptr;
  u64 under_way_ = 0;
  bool held_ = false;
};

}  // namespace vdisk
