/// Looking for the metadata and the BAT of a file whose region tables are lost.
#pragma once

#include <optional>

#include "formats/vhdx/metadata.h"

namespace vdisk::vhdx {

/// Regions are looked for below this offset: every known writer puts both below 16 MiB.
inline constexpr u64 region_search_end = gib;

struct SearchRange {
  u64 begin = 0;
  u64 end = 0;  ///< of the file's bytes
};

/// The first MiB that begins with the signature of a metadata table. Errors: io.
[[nodiscard]] Result<std::optional<u64>> find_metadata(const File& file, SearchRange range);

/// The first MiB whose beginning can only be a BAT of such a disk: every entry is legal, and some
/// block is stored. Errors: io.
[[nodiscard]] Result<std::optional<u64>> find_bat(const File& file, const Metadata& metadata,
                                                  SearchRange range);

/// The smallest disk that has all blocks which the BAT says are stored; 0: there are none.
/// `metadata` without a size. Errors: io.
[[nodiscard]] Result<u64> size_of_stored(const File& file, const Metadata& metadata,
                                         const Region& bat);

}  // namespace vdisk::vhdx
