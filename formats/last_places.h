/// LastPlaces: the structures of a file that lie nearest to its end, found in one pass over a table
/// of any order, in bounded memory.
///
/// Threads: none of its own; the owner's lock guards it.
#pragma once

#include <optional>
#include <vector>

#include "vdisk/types.h"

namespace vdisk {

/// A structure, by the table entry that names it.
struct NamedPlace {
  u64 file_offset = 0;
  u64 index = 0;
  auto operator<=>(const NamedPlace&) const = default;
};

class LastPlaces {
 public:
  /// 1 MiB of memory; tables with more entries take one pass for each so many.
  static constexpr std::size_t default_capacity = std::size_t{1} << 16;

  explicit LastPlaces(std::size_t capacity = default_capacity) : capacity_(capacity) {}

  /// Keeps the place if it is among the last ones offered so far.
  void offer(NamedPlace place);
  /// Removes and returns the last one. No more may be offered then.
  std::optional<NamedPlace> take();
  /// Whether others were offered that did not fit: another pass finds them.
  [[nodiscard]] bool has_more() const { return has_more_; }

 private:
  std::size_t capacity_;
  std::vector<NamedPlace> places_;  ///< a heap with the first place on top; sorted by take()
  bool has_more_ = false;
  bool sorted_ = false;
};

}  // namespace vdisk
