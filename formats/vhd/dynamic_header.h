/// The dynamic header of dynamic and differencing images (FORMATS 1.8).
#pragma once

#include <array>
#include <span>

#include "formats/vhd/structures.h"
#include "formats/vhd/verdict.h"
#include "vdisk/guid.h"

namespace vdisk::vhd {

struct ParentLocator {
  u32 platform_code = 0;
  u32 data_space = 0;   ///< bytes, or sectors in old images (D2): never used as a bound
  u32 data_length = 0;  ///< bytes
  u32 reserved = 0;
  u64 data_offset = 0;

  bool operator==(const ParentLocator&) const = default;
  [[nodiscard]] bool used() const { return platform_code != 0; }
};

/// All fields of a dynamic header. Reserved bytes are kept so that rewriting changes nothing else.
struct DynamicHeader {
  u64 data_offset = no_offset;
  u64 table_offset = 0;
  u32 header_version = version_1_0;
  u32 max_table_entries = 0;
  u32 block_size = 0;
  Guid parent_unique_id;
  u32 parent_time_stamp = 0;
  u32 reserved_1 = 0;
  std::array<std::byte, parent_name_size> parent_unicode_name{};
  std::array<ParentLocator, locator_count> locators{};
  std::array<std::byte, 256> reserved_2{};

  bool operator==(const DynamicHeader&) const = default;
};

/// Every field, unchecked. Requires bytes.size() >= dynamic_header_size.
[[nodiscard]] DynamicHeader decode_header_fields(std::span<const std::byte> bytes);
/// The same requirement. V17, V18 and V19 are checked, nothing else.
[[nodiscard]] Result<DynamicHeader> decode_dynamic_header(std::span<const std::byte> bytes,
                                                          u64 offset);
/// With a correct checksum.
[[nodiscard]] RawDynamicHeader encode_dynamic_header(const DynamicHeader& header);

/// What the header is checked against.
struct HeaderPlace {
  u64 offset = 0;
  u64 data_limit = 0;    ///< the table must end here
  u64 current_size = 0;  ///< of the footer
};
/// V20 - V25 and V29.
void validate_dynamic_header(const DynamicHeader& header, const HeaderPlace& place,
                             Verdict& verdict);

/// Bytes of the BAT on disk, with its padding to a whole sector.
[[nodiscard]] u64 table_bytes(u64 entry_count) noexcept;
/// Bytes of the sector bitmap in front of each block (FORMATS 1.9).
[[nodiscard]] u64 bitmap_bytes(u32 block_size) noexcept;

}  // namespace vdisk::vhd
