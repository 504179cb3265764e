/// Lets concurrent flush requests share one flush.
#pragma once

#include <atomic>
#include <mutex>

#include "vdisk/error.h"

namespace vdisk {

/// A request is served by any flush that began after it arrived. Threads: safe.
class FlushGroup {
 public:
  template <class Flush>
  Status run(const Flush& flush) {
    const u64 ticket = ++arrived_;
    const std::scoped_lock lock(turn_);
    if (served_ >= ticket) return {};
    const u64 covers = arrived_.load();
    auto flushed = flush();
    if (flushed) served_ = covers;
    return flushed;
  }

 private:
  std::atomic<u64> arrived_ = 0;
  std::mutex turn_;
  u64 served_ = 0;  ///< tickets up to this one are durable; guarded by turn_
};

}  // namespace vdisk
