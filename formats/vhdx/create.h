/// New, empty images in the layout that Windows writes (FORMATS 3.1):
/// log at 1 MiB, metadata at 2 MiB, BAT at 3 MiB, blocks behind it.
#pragma once

#include "vdisk/format.h"

namespace vdisk::vhdx {

/// Block sizes of new images (docs/decisions/0004-vhdx-defaults.md).
inline constexpr u32 default_block_size = 32 * mib;
inline constexpr u32 default_child_block_size = 2 * mib;
inline constexpr u32 default_logical_sector_size = 512;
inline constexpr u32 default_physical_sector_size = 4096;

/// Fills in defaults. Errors: invalid_argument with the allowed values.
[[nodiscard]] Status complete(CreateSpec& spec);
/// Writes the image into an empty file; unwritten parts stay holes. Does not flush.
[[nodiscard]] Status create(File& file, const CreateSpec& spec);

}  // namespace vdisk::vhdx
