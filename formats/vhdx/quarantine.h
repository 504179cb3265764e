/// Space that blocks gave up and that is not free yet.
///
/// A freed range passes four gates before it may be used again (DESIGN section 4):
/// opened   - the map in memory no longer names it (add);
/// logged   - the change of the map is in the log and was written in place (logged);
/// settled  - a later flush made the written pages durable, so no older map can return (settle);
/// released - nobody still uses an extent that was handed out before (reclaim).
/// Threads: none of its own; the owner's lock guards it.
#pragma once

#include <vector>

#include "vdisk/types.h"

namespace vdisk::vhdx {

struct FreedRange {
  u64 offset = 0;
  u64 length = 0;
};

class Quarantine {
 public:
  void add(u64 offset, u64 length) { opened_.push_back({offset, length}); }

  /// What was freed since the last call; goes to logged() or, after a failure, to restore().
  [[nodiscard]] std::vector<FreedRange> take_opened();
  void restore(const std::vector<FreedRange>& ranges);
  void logged(const std::vector<FreedRange>& ranges);
  /// A flush succeeded after everything in `logged` was written in place.
  void settle();
  /// The promise of Image::reclaim about everything logged so far.
  void reclaim();

  /// Removes and returns what has passed all gates, merged and by ascending offset.
  [[nodiscard]] std::vector<FreedRange> take_released();
  /// Everything logged and settled, whoever used it: for the clean close.
  [[nodiscard]] std::vector<FreedRange> take_settled();

 private:
  struct Batch {
    std::vector<FreedRange> ranges;
    bool settled = false;
    bool reclaimed = false;
  };
  template <class Predicate>
  std::vector<FreedRange> take(Predicate wanted);

  std::vector<FreedRange> opened_;
  std::vector<Batch> batches_;
};

}  // namespace vdisk::vhdx
