#include "engine/changed_ranges.h"

#include <algorithm>

namespace vdisk {

void ChangedRanges::add(u64 offset, bool zero) {
  if (offset >= new_size_) return;
  const u64 length = std::min(granularity_, new_size_ - offset);
  changes_.changed_bytes += length;
  auto& ranges = changes_.ranges;
  const bool goes_on = !ranges.empty() && ranges.back().zero == zero &&
                       ranges.back().offset + ranges.back().length == offset;
  if (goes_on) {
    ranges.back().length += length;
  } else {
    ranges.push_back({offset, length, zero});
  }
}

Changes ChangedRanges::take(u64 old_size) {
  changes_.old_size = old_size;
  changes_.new_size = new_size_;
  changes_.granularity = granularity_;
  return std::move(changes_);
}

}  // namespace vdisk
