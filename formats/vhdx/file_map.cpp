#include "formats/vhdx/file_map.h"

#include <algorithm>

#include "base/bytes.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

FileMap::FileMap(u64 file_size)
    : whole_count_(std::min(file_size, largest_file_size) / region_alignment),
      taken_(divide_up(std::min(file_size, largest_file_size), region_alignment)) {}

std::optional<u64> FileMap::claim(u64 offset, u64 length) {
  std::optional<u64> collision;
  const u64 begin = std::min<u64>(offset / region_alignment, taken_.size());
  const u64 end = std::min<u64>(begin + divide_up(length, region_alignment), taken_.size());
  for (u64 index = begin; index < end; ++index) {
    if (taken_[index] && !collision) collision = index * region_alignment;
    taken_[index] = true;
  }
  return collision;
}

bool FileMap::is_free(u64 offset, u64 length) const {
  const u64 begin = std::min<u64>(offset / region_alignment, taken_.size());
  const u64 end = std::min<u64>(begin + divide_up(length, region_alignment), taken_.size());
  const auto first = taken_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = taken_.begin() + static_cast<std::ptrdiff_t>(end);
  return std::find(first, last, true) == last;
}

u64 FileMap::used_end() const {
  u64 index = taken_.size();
  while (index > 0 && !taken_[index - 1]) --index;
  return index * region_alignment;
}

u64 FileMap::free_count() const {
  const auto end = taken_.begin() + static_cast<std::ptrdiff_t>(whole_count_);
  return static_cast<u64>(std::count(taken_.begin(), end, false));
}

std::optional<u64> FileMap::first_free() const {
  const auto end = taken_.begin() + static_cast<std::ptrdiff_t>(whole_count_);
  const auto found = std::find(taken_.begin(), end, false);
  if (found == end) return std::nullopt;
  return static_cast<u64>(found - taken_.begin()) * region_alignment;
}

}  // namespace vdisk::vhdx
