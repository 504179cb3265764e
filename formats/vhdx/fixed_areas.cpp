#include "formats/vhdx/fixed_areas.h"

#include <algorithm>

namespace vdisk::vhdx {

FixedAreas::FixedAreas(const Layout& layout) {
  const Header& header = layout.headers.current;
  std::vector<Area> found;
  const auto add = [&found](u64 offset, u64 length) {
    if (length != 0) found.push_back({offset, offset + length});
  };
  add(header.log_offset, header.log_length);
  for (const Region& region : layout.regions.regions) {
    if (region.in_place) add(region.offset, region.length);
  }
  std::ranges::sort(found, {}, &Area::begin);
  for (const Area& area : found) {
    const bool joins = !areas_.empty() && area.begin < areas_.back().end;
    if (joins) {
      areas_.back().end = std::max(areas_.back().end, area.end);
    } else {
      areas_.push_back(area);
    }
  }
}

std::optional<u64> FixedAreas::overlapping(u64 offset, u64 length) const {
  const auto area = std::ranges::upper_bound(areas_, offset, {}, &Area::end);
  if (area == areas_.end() || length == 0) return std::nullopt;
  if (area->begin > offset && area->begin - offset >= length) return std::nullopt;
  return area->begin;
}

}  // namespace vdisk::vhdx
