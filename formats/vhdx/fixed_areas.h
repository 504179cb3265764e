/// The areas of a file that never move while its blocks are looked at: log and regions. Sorted, so
/// that 2047 regions cost each of millions of entries a few comparisons.
#pragma once

#include <optional>
#include <vector>

#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

class FixedAreas {
 public:
  explicit FixedAreas(const Layout& layout);

  /// Where the area begins that shares a byte with the range; empty when there is none.
  [[nodiscard]] std::optional<u64> overlapping(u64 offset, u64 length) const;

 private:
  struct Area {
    u64 begin = 0;
    u64 end = 0;
  };
  std::vector<Area> areas_;  ///< disjoint, ascending
};

}  // namespace vdisk::vhdx
