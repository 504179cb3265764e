/// The rules of a single BAT entry: X37..X43. Image validates each entry when it uses it, check
/// all of them.
#pragma once

#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

/// The entry of a payload block. For states 6 and 7 the extent is inside the file (the last block
/// may be stored short as long as it covers the disk) and outside header section, log and regions.
/// Offsets in other states are returned as stored; they may be anything (X41: anchors).
/// Errors: bat_invalid (X37, X38, X39, X40), file_size_invalid (X39).
[[nodiscard]] Result<BatEntry> validate_payload_entry(const Layout& layout, u64 block, u64 raw);

/// The entry of a chunk's sector bitmap in a differencing image, the same way.
/// Errors: bat_invalid (X37, X42, X39, X40), file_size_invalid (X39).
[[nodiscard]] Result<BatEntry> validate_bitmap_entry(const Layout& layout, u64 chunk, u64 raw);

/// X43: a partially present block whose bitmap entry is not PRESENT. Errors: bitmap_mismatch.
[[nodiscard]] Status validate_bitmap_of_partial(const Layout& layout, u64 block,
                                                const BatEntry& bitmap);

/// File offset of an entry.
[[nodiscard]] u64 bat_entry_offset(const Layout& layout, u64 index);

}  // namespace vdisk::vhdx
