/// Data below clear bits of a dynamic image's sector bitmap (V30): readers disagree about them.
#pragma once

#include <optional>

#include "formats/vhd/block_table.h"

namespace vdisk::vhd {

/// Where data that are not zero lie below a clear bit; `place` is that of the block's bitmap.
/// Requires a block that is inside the file. Errors: io.
[[nodiscard]] Result<std::optional<u64>> find_hidden_data(const File& file, const BlockShape& shape,
                                                          u64 place);

}  // namespace vdisk::vhd
