/// A scan of the whole BAT: the sorted list of stored blocks, for everything that needs to know
/// what is free. Memory: 4 bytes for each stored block, at most 32 MiB (max_block_count).
#pragma once

#include <functional>
#include <vector>

#include "formats/vhd/block_table.h"

namespace vdisk::vhd {

/// Told of each entry that breaks V26. An error returned ends the scan.
using BadEntryVisitor = std::function<Status(u32 sector, const EntryPlace& place)>;

/// Sorted sector numbers of the blocks whose entries are sound; the others go to `on_bad`.
/// Blocks must lie on none of metadata_ranges(layout). Errors: io, those of `on_bad`.
[[nodiscard]] Result<std::vector<u32>> scan_blocks(const File& file, const Layout& layout,
                                                   const BadEntryVisitor& on_bad);

/// The same for writing: the first bad entry is the error, and so are blocks that overlap (V27,
/// bat_invalid).
[[nodiscard]] Result<std::vector<u32>> scan_for_writing(const File& file, const Layout& layout);

/// Hands each range of the file before the end footer that nothing uses to `visit`, ascending.
using RangeVisitor = std::function<void(FileRange)>;
void for_each_gap(const std::vector<u32>& sorted_blocks, const Layout& layout,
                  const RangeVisitor& visit);

/// The first place at or behind `from` where a block's data are aligned to 4 KiB.
[[nodiscard]] u64 aligned_place(u64 from, const BlockShape& shape);

}  // namespace vdisk::vhd
