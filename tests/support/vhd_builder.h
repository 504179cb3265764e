/// VHD images built byte by byte from the specification, without the code under test.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/memory_file.h"
#include "vdisk/types.h"

namespace vdisk::test {

using Bytes = std::vector<std::byte>;

// Big-endian fields.
void put_u8(Bytes& bytes, u64 offset, u8 value);
void put_u16(Bytes& bytes, u64 offset, u16 value);
void put_u32(Bytes& bytes, u64 offset, u32 value);
void put_u64(Bytes& bytes, u64 offset, u64 value);
void put_text(Bytes& bytes, u64 offset, std::string_view text);
[[nodiscard]] u32 get_u32(const Bytes& bytes, u64 offset);
[[nodiscard]] u64 get_u64(const Bytes& bytes, u64 offset);

/// Makes the checksum of the footer (512 bytes) or header (1024 bytes) at an offset right again.
void fix_vhd_footer(Bytes& bytes, u64 offset);
void fix_vhd_header(Bytes& bytes, u64 offset);

/// A byte that depends on the place: makes misplaced data visible.
[[nodiscard]] std::byte pattern_at(u64 offset, u64 seed);
[[nodiscard]] Bytes pattern(u64 offset, u64 length, u64 seed);
/// ASCII as UTF-16.
[[nodiscard]] Bytes utf16le(std::string_view ascii);
[[nodiscard]] Bytes utf16be(std::string_view ascii);

struct VhdFooterFields {
  u32 features = 2;
  u32 file_format_version = 0x00010000;
  u64 data_offset = 0;  ///< 0: 512 for dynamic and differencing, all ones for fixed
  u32 time_stamp = 0;
  std::string creator_application = "win ";
  u32 creator_version = 0x000A0000;
  std::string creator_host_os = "Wi2k";
  u64 original_size = 0;
  u64 current_size = 0;
  std::array<u8, 4> geometry{};
  u32 disk_type = 3;
  std::array<u8, 16> unique_id{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  u8 saved_state = 0;
};
[[nodiscard]] Bytes make_vhd_footer(const VhdFooterFields& fields);

struct VhdLocatorFields {
  u32 code = 0;
  Bytes name;
  u32 data_space = 512;
};

struct VhdBlock {
  Bytes data;    ///< padded with zeros to the block size
  Bytes bitmap;  ///< empty: all ones
};

/// Lays out: copy of the footer, header, BAT, locator areas, blocks one after another, footer.
struct VhdBuilder {
  VhdFooterFields footer;
  u32 block_size = 2 * mib;
  u32 max_table_entries = 0;  ///< 0: what the size needs
  std::array<u8, 16> parent_unique_id{};
  u32 parent_time_stamp = 0;
  Bytes parent_name;  ///< UTF-16BE
  std::vector<VhdLocatorFields> locators;
  std::map<u64, VhdBlock> blocks;
  bool align_data = false;  ///< data of blocks at multiples of 4 KiB

  [[nodiscard]] Bytes build() const;
  /// File offset of a block's bitmap in what build() makes.
  [[nodiscard]] u64 place_of(u64 block) const;
  [[nodiscard]] u64 bitmap_bytes() const;
  [[nodiscard]] u64 entry_count() const;
  [[nodiscard]] u64 data_begin() const;
  static constexpr u64 header_offset = 512;
  static constexpr u64 table_offset = 1536;

 private:
  void put_header(Bytes& bytes) const;
  void put_blocks(Bytes& bytes) const;
};

/// A fixed image with this content.
[[nodiscard]] Bytes make_fixed_vhd(const Bytes& content);

[[nodiscard]] std::shared_ptr<MemoryFile> memory_file(const Bytes& bytes);

}  // namespace vdisk::test
