/// The rules that metadata must keep: X27, X28, X30, X32..X35 (FORMATS 5.2).
#pragma once

#include <span>

#include "formats/vhdx/metadata.h"

namespace vdisk::vhdx {

/// X27 (unique, not zero), X28 (place), X30 (unknown required). Marks items that break X28.
[[nodiscard]] Status validate_items(std::span<MetadataItem> items, const Region& region,
                                    Objections& objections);
/// X33; `place` is the file offset of the file parameters.
[[nodiscard]] Status validate_block_size(u32 block_size, u64 place);
/// The only sector sizes, logical or physical.
[[nodiscard]] bool is_sector_size(u32 size);
/// X34.
[[nodiscard]] Status validate_sector_sizes(const Metadata& metadata, u64 place);
/// X35.
[[nodiscard]] Status validate_virtual_size(const Metadata& metadata);
/// X32: flags of known items that differ from FORMATS 2.7.1.
void append_flag_warnings(Metadata& metadata, const Region& region);

}  // namespace vdisk::vhdx
