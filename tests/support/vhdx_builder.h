/// Builds VHDX files byte by byte from FORMATS section 2, without the code under test.
///
/// A builder holds plain data; build() lays it out: log at 1 MiB, then metadata, BAT, blocks.
/// A hostile file is a valid one with single fields overwritten by poke() and the checksum made
/// right again by the seal functions.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/memory_file.h"

namespace vdisk::test {

using Bytes = std::vector<std::byte>;

/// Little-endian bytes of the low `size` bytes of a number.
[[nodiscard]] Bytes little(u64 value, std::size_t size);
/// Stored (mixed-endian) bytes of a printed GUID.
[[nodiscard]] Bytes guid_bytes(std::string_view text);
/// UTF-16LE of text whose characters are all below 0x80.
[[nodiscard]] Bytes wide(std::string_view ascii);
/// A page or any other run of one byte.
[[nodiscard]] Bytes filled(std::size_t size, u8 value);
/// CRC-32C, from a table that is computed bit by bit from its definition.
[[nodiscard]] u32 plain_crc32c(std::span<const std::byte> data);

/// Overwrites `size` bytes (1..8) with a little-endian number.
void poke(File& file, u64 offset, u64 value, std::size_t size);
void poke(File& file, u64 offset, const Bytes& bytes);
[[nodiscard]] u64 peek(const File& file, u64 offset, std::size_t size);

/// Makes a checksum right after a field was poked.
void seal_header(File& file, int slot);
void seal_region_table(File& file, int copy);

inline constexpr std::string_view bat_guid = "2DC27766-F623-4200-9D64-115E9BFD4A08";
inline constexpr std::string_view metadata_guid = "8B7CA206-4790-4B9A-B8FE-575F050F886E";
inline constexpr std::string_view parameters_guid = "CAA16737-FA36-4D43-B3B6-33F0AA44E76B";
inline constexpr std::string_view size_guid = "2FA54224-CD1B-4876-B211-5DBED83BF4B8";
inline constexpr std::string_view disk_id_guid = "BECA12AB-B2E6-4523-93EF-C309E000C746";
inline constexpr std::string_view logical_guid = "8141BF1D-A96F-4709-BA47-F233A8FAAB5F";
inline constexpr std::string_view physical_guid = "CDA348C7-445D-4471-9CC9-E9885251C556";
inline constexpr std::string_view locator_guid = "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C";
inline constexpr std::string_view locator_type_guid = "B04AEFB7-D19E-4A81-B789-25B8E9445913";

inline constexpr std::string_view test_data_write_guid = "D0000000-1111-2222-3333-444444444444";
inline constexpr std::string_view test_log_guid = "10600000-1111-2222-3333-444444444444";
inline constexpr std::string_view zero_guid = "00000000-0000-0000-0000-000000000000";

// Field offsets inside the structures, for poke().
namespace header_field {
inline constexpr u64 sequence_number = 8, file_write_guid = 16, data_write_guid = 32, log_guid = 48,
                     log_version = 64, version = 66, log_length = 68, log_offset = 72,
                     reserved = 80;
}
namespace region_field {
inline constexpr u64 entry_count = 8, reserved = 12, first_entry = 16, entry_size = 32;
inline constexpr u64 guid = 0, offset = 16, length = 24, flags = 28;
}  // namespace region_field
namespace item_field {
inline constexpr u64 entry_count = 10, first_entry = 32, entry_size = 32;
inline constexpr u64 guid = 0, offset = 16, length = 20, flags = 24, reserved = 28;
}  // namespace item_field
inline constexpr u64 header_place[2] = {64 * kib, 128 * kib};
inline constexpr u64 region_table_place[2] = {192 * kib, 256 * kib};

struct VhdxRegion {
  std::string guid;
  u64 offset = 0;
  u64 length = mib;
  u32 flags = 1;
};

struct VhdxItem {
  std::string guid;
  u32 flags = 0;
  Bytes content = {};
};

/// One descriptor of a log entry.
struct VhdxLogWrite {
  u64 file_offset = 0;
  Bytes page = {};      ///< 4096 bytes; empty: a zero descriptor
  u64 zero_length = 0;  ///< of a zero descriptor
};

struct VhdxLogEntry {
  u64 sequence_number = 1;
  u32 offset = 0;  ///< from the start of the log
  u32 tail = 0;
  std::vector<VhdxLogWrite> writes = {};
  u64 flushed_file_offset = 0;
  u64 last_file_offset = 0;
  std::string guid = std::string(test_log_guid);
};
/// The bytes of an entry, sealed.
[[nodiscard]] Bytes log_entry_bytes(const VhdxLogEntry& entry);
/// The same with fields overwritten ({offset in the entry, bytes}) before it is sealed.
[[nodiscard]] Bytes log_entry_bytes(const VhdxLogEntry& entry,
                                    const std::vector<std::pair<u64, Bytes>>& changes);

/// Key and value as stored bytes, so that they can be malformed.
using VhdxLocator = std::vector<std::pair<Bytes, Bytes>>;
/// The item: header, table, strings packed behind it.
[[nodiscard]] Bytes locator_bytes(const VhdxLocator& pairs);

struct VhdxBuilder {
  u64 virtual_size = 8 * mib;
  u32 block_size = mib;
  u32 logical_sector_size = 512;
  u32 physical_sector_size = 4096;
  bool fixed = false;
  bool has_parent = false;
  u64 log_length = mib;
  u64 bat_length = 0;  ///< 0: what the disk needs
  std::string creator = "vhdx_builder";
  u64 sequence_numbers[2] = {7, 8};
  std::string log_guid = std::string(zero_guid);
  VhdxLocator locator = {{wide("parent_linkage"), wide("{d0000000-1111-2222-3333-444444444444}")},
                         {wide("relative_path"), wide(".\\parent.vhdx")}};
  std::vector<VhdxItem> extra_items = {};
  std::vector<VhdxRegion> extra_regions = {};
  std::map<u64, u64> bat = {};         ///< index -> raw entry
  std::map<u64, Bytes> contents = {};  ///< file offset -> bytes
  std::vector<VhdxLogEntry> log = {};  ///< log_guid must be set to use them
  u64 file_end = 0;                    ///< 0: right behind what is placed

  [[nodiscard]] u64 ratio() const { return (u64{1} << 23) * logical_sector_size / block_size; }
  [[nodiscard]] u64 block_index(u64 block) const { return block + block / ratio(); }
  [[nodiscard]] u64 bitmap_index(u64 chunk) const { return (chunk + 1) * ratio() + chunk; }
  [[nodiscard]] u64 block_count() const { return (virtual_size + block_size - 1) / block_size; }
  [[nodiscard]] u64 entry_count() const;
  [[nodiscard]] u64 metadata_offset() const { return mib + log_length; }
  [[nodiscard]] u64 bat_offset() const { return metadata_offset() + mib; }
  [[nodiscard]] u64 bat_entry_offset(u64 index) const { return bat_offset() + 8 * index; }
  [[nodiscard]] u64 data_offset() const;
  /// File offset of the content of an item (0 file parameters, 1 size, 2 logical, 3 physical,
  /// 4 disk id, 5 locator or first extra item).
  [[nodiscard]] u64 item_offset(std::size_t index) const;

  /// Sets the entry of a block.
  VhdxBuilder& set_block(u64 block, u64 state, u64 file_offset);
  VhdxBuilder& set_bitmap(u64 chunk, u64 state, u64 file_offset);
  /// Places a block at the end of the file, filled with one byte. Returns its file offset.
  u64 add_block(u64 block, u8 fill, u64 state = 6);
  /// Places a sector bitmap at the end of the file, its first bytes given. Returns its offset.
  u64 add_bitmap(u64 chunk, const Bytes& bits);

  [[nodiscard]] std::shared_ptr<MemoryFile> build() const;

 private:
  [[nodiscard]] std::vector<VhdxItem> all_items() const;
  [[nodiscard]] u64 end() const;
  void write_identifier(File& file) const;
  void write_headers(File& file) const;
  void write_region_tables(File& file) const;
  void write_metadata(File& file) const;
  void write_log(File& file) const;
};

}  // namespace vdisk::test
