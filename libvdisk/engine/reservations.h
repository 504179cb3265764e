/// Places that were handed out for payload which the caller writes itself. While one of them is not
/// committed, no freed space may be given out again: the caller's bytes may still go there.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "vdisk/image.h"

namespace vdisk {

/// Threads: all functions may be called concurrently.
class Reservations {
 public:
  void add(const Extent& place) {
    const std::scoped_lock lock(mutex_);
    open_.push_back({place, place.length});
  }

  /// Whether `written` is a part of a place that was handed out and not committed yet.
  [[nodiscard]] bool holds(const Extent& written) const {
    const std::scoped_lock lock(mutex_);
    return std::ranges::any_of(open_, [&](const auto& open) { return open.holds(written); });
  }

  /// This part is committed.
  void settle(const Extent& written) {
    const std::scoped_lock lock(mutex_);
    const auto found =
        std::ranges::find_if(open_, [&](const auto& open) { return open.holds(written); });
    if (found == open_.end()) return;  // another thread has committed it as well
    found->left -= written.length;
    if (found->left == 0) open_.erase(found);
  }

  [[nodiscard]] bool any() const {
    const std::scoped_lock lock(mutex_);
    return !open_.empty();
  }

 private:
  struct Reservation {
    Extent place;
    u64 left;  ///< bytes that are not committed

    [[nodiscard]] bool holds(const Extent& written) const {
      if (written.length == 0 || written.length > left || written.offset < place.offset) {
        return false;
      }
      const u64 skipped = written.offset - place.offset;
      return skipped < place.length && written.length <= place.length - skipped &&
             written.file_offset - place.file_offset == skipped;
    }
  };

  mutable std::mutex mutex_;
  std::vector<Reservation> open_;
};

}  // namespace vdisk
