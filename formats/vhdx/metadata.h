/// The metadata region: a table of items, and the known items' values (FORMATS 2.7).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "formats/vhdx/parent_locator.h"
#include "formats/vhdx/region_table.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// Longest item (FORMATS 2.10).
inline constexpr u32 max_item_length = mib;

struct MetadataItem {
  Guid id = {};
  bool is_user = false;
  bool is_virtual_disk = false;
  bool is_required = false;
  u32 offset = 0;  ///< from the start of the region; 0 when empty
  u32 length = 0;
  bool in_place = true;  ///< keeps X28; false only where objections are collected
};

struct Metadata {
  bool shape_known = false;  ///< block size, sizes and HasParent are sound: there is a map
  u32 block_size = 0;
  bool leave_blocks_allocated = false;
  bool has_parent = false;
  u64 virtual_disk_size = 0;
  u32 logical_sector_size = 512;
  u32 physical_sector_size = 512;
  Guid virtual_disk_id = {};
  std::vector<MetadataItem> items = {};       ///< all, in the order of the table
  std::optional<ParentLocator> locator = {};  ///< set exactly when has_parent
  u64 size_item_file_offset = 0;              ///< of the Virtual Disk Size item, in the file
  std::vector<Warning> warnings = {};

  /// The system item of that id; null when there is none.
  [[nodiscard]] const MetadataItem* find(const Guid& id) const;
};

/// Reads and validates table and items. Errors: X26..X35, X45..X48, X55; io.
[[nodiscard]] Result<Metadata> read_metadata(const File& file, const Region& region);
/// The same as far as it goes.
[[nodiscard]] Result<Metadata> read_metadata(const File& file, const Region& region,
                                             Objections& objections);

/// The table alone: 64 KiB for these items.
[[nodiscard]] std::vector<std::byte> encode_metadata_table(std::span<const MetadataItem> items);
/// Table and items of a new image, packed as Windows does; a multiple of 4096 bytes that belongs
/// at the start of the region. `items` and `size_item_file_offset` of the argument are ignored.
/// Errors: those of encode(ParentLocator).
[[nodiscard]] Result<std::vector<std::byte>> encode_metadata(const Metadata& metadata);

}  // namespace vdisk::vhdx
