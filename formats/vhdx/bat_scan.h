/// Walks over the whole BAT in bounded memory.
#pragma once

#include <functional>

#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

/// `index` counts entries, bitmap slots included; `raw` as stored.
using BatVisitor = std::function<Status(u64 index, u64 raw)>;

/// Visits the entries that are not 0, by ascending index. Holes of the file are skipped, so that a
/// sparse BAT of any size costs only what is in it.
[[nodiscard]] Status scan_bat(const File& file, const Layout& layout, const BatVisitor& visit);

/// Entries [first_index, end_index), as far as the region reaches; they may lie behind what the
/// disk needs.
struct EntryRange {
  u64 first_index = 0;
  u64 end_index = 0;
};
[[nodiscard]] Status scan_entries(const File& file, const Layout& layout, EntryRange range,
                                  const BatVisitor& visit);

}  // namespace vdisk::vhdx
