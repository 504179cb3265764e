/// Counts the requests that may still use an extent they looked up, so that freed space is given
/// out again only when nobody can read the old place any more.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "vdisk/types.h"

namespace vdisk {

/// Two generations of requests. Threads: all functions may be called concurrently.
class InFlight {
 public:
  /// Registers a request for its lifetime.
  class Request {
   public:
    explicit Request(InFlight& owner) : count_(&owner.enter()) {}
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request() { end(); }

    /// Ends before its time.
    void end() {
      if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_release);
      count_ = nullptr;
    }
    /// Begins once more, after end().
    void begin(InFlight& owner) { count_ = &owner.enter(); }

   private:
    std::atomic<u64>* count_;
  };

  /// Waits until every request that began before this call has ended.
  void wait_for_earlier() {
    const std::scoped_lock lock(turn_);
    const u64 old = generation_.load();
    // The other counter was drained by the previous turn, so it can start the new generation.
    generation_.store(old + 1);
    while (counts_[old % 2].load() != 0) std::this_thread::yield();
  }

 private:
  std::atomic<u64>& enter() {
    for (;;) {
      const u64 generation = generation_.load();
      auto& count = counts_[generation % 2];
      count.fetch_add(1);
      if (generation_.load() == generation) return count;
      count.fetch_sub(1);  // a turn came in between: register with the new generation
    }
  }

  std::atomic<u64> generation_ = 0;
  std::atomic<u64> counts_[2] = {0, 0};
  std::mutex turn_;
};

}  // namespace vdisk
