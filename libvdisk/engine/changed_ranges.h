/// Collects changed units of a disk into ranges.
#pragma once

#include "vdisk/manifest.h"

namespace vdisk {

class ChangedRanges {
 public:
  ChangedRanges(u64 granularity, u64 new_size) : granularity_(granularity), new_size_(new_size) {}

  /// The unit that begins at `offset` has changed. Offsets ascend; what lies behind the end of the
  /// disk has gone with it.
  void add(u64 offset, bool zero);
  [[nodiscard]] Changes take(u64 old_size);

 private:
  const u64 granularity_;
  const u64 new_size_;
  Changes changes_;
};

}  // namespace vdisk
