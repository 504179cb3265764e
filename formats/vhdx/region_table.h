/// The region tables: where the BAT, the metadata and unknown regions are (FORMATS 2.4).
///
/// Copy 1 is used when it is valid, else copy 2. Both change only through the log.
#pragma once

#include <span>
#include <vector>

#include "formats/vhdx/header.h"
#include "vdisk/file.h"
#include "vdisk/image.h"

namespace vdisk::vhdx {

struct Region {
  Guid id = {};
  u64 offset = 0;
  u32 length = 0;
  bool required = false;
  bool in_place = true;  ///< keeps X21; false only where objections are collected
};

struct RegionTable {
  std::vector<Region> regions;  ///< all, in the order of the table
  Region bat;                   ///< length 0: not known, only where objections are collected
  Region metadata;              ///< the same
  int used_copy = 0;            ///< 0 or 1: index into region_table_offsets
  bool other_valid = true;      ///< false: the other copy has a bad signature or checksum (X16)
  bool copies_differ = false;   ///< both valid, different content (X17)
  std::vector<Warning> warnings;
};

/// BAT or metadata.
[[nodiscard]] bool is_known_region(const Guid& id);

/// Reads and validates the table; the place of the log comes from `header`.
/// Errors: X16, X18, X20..X24 (corrupt kinds, truncated, unsupported), io.
[[nodiscard]] Result<RegionTable> read_region_table(const File& file, const Header& header);
/// The same as far as it goes. LogLength 0 in `header`: the place of the log is not known.
[[nodiscard]] Result<RegionTable> read_region_table(const File& file, const Header& header,
                                                    Objections& objections);
/// Reads one copy alone, whatever the other one says.
[[nodiscard]] Result<RegionTable> read_region_copy(const File& file, const Header& header,
                                                   int copy_index);
/// X16, X17: what is to be said about the copy that is not used.
void append_copy_warnings(RegionTable& table);
/// The 64 KiB of one copy, with CRC.
[[nodiscard]] std::vector<std::byte> encode_region_table(std::span<const Region> regions);

}  // namespace vdisk::vhdx
