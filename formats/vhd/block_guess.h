/// The size of the blocks, when no header tells it: what fits the entries of the BAT.
#pragma once

#include <optional>

#include "vdisk/file.h"

namespace vdisk::vhd {

struct TableGuess {
  u64 table_offset = 0;
  u64 current_size = 0;  ///< of the disk
  u64 data_end = 0;      ///< blocks end here
};

/// A size with which every entry names a place of its own behind the table; `hint` is taken as it
/// is. Empty: no size fits. Errors: io.
[[nodiscard]] Result<std::optional<u32>> guess_block_size(const File& file, const TableGuess& table,
                                                          std::optional<u32> hint);

}  // namespace vdisk::vhd
