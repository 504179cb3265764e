/// On-disk structures of VHDX, byte for byte (FORMATS section 2). Little-endian; GUIDs are stored
/// mixed-endian. Raw structures never leave this folder: decode and encode turn them into values.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <boost/endian/buffers.hpp>

#include "vdisk/guid.h"
#include "vdisk/types.h"

namespace vdisk::vhdx {

using boost::endian::little_uint16_buf_t;
using boost::endian::little_uint32_buf_t;
using boost::endian::little_uint64_buf_t;

// Fixed places (FORMATS 2.1).
inline constexpr u64 file_identifier_offset = 0;
inline constexpr u64 header_slot_offsets[2] = {64 * kib, 128 * kib};
inline constexpr u64 region_table_offsets[2] = {192 * kib, 256 * kib};
inline constexpr u64 header_section_size = mib;
inline constexpr u64 region_alignment = mib;
inline constexpr u32 header_size = 4096;
inline constexpr u32 region_table_size = 64 * kib;
inline constexpr u32 metadata_table_size = 64 * kib;
inline constexpr u32 log_sector_size = 4096;
inline constexpr u32 max_region_entries = 2047;
inline constexpr u32 max_metadata_entries = 2047;
/// The log never targets the file identifier or the headers (FORMATS 2.5.2).
inline constexpr u64 first_log_target = 192 * kib;

inline constexpr std::string_view file_identifier_signature = "vhdxfile";
inline constexpr std::string_view header_signature = "head";
inline constexpr std::string_view region_table_signature = "regi";
inline constexpr std::string_view metadata_signature = "metadata";
inline constexpr std::string_view log_entry_signature = "loge";
inline constexpr std::string_view data_descriptor_signature = "desc";
inline constexpr std::string_view zero_descriptor_signature = "zero";
inline constexpr std::string_view data_sector_signature = "data";

/// A GUID as stored: Data1..Data3 little-endian, Data4 as printed.
struct RawGuid {
  std::array<u8, 16> bytes;
};
[[nodiscard]] constexpr Guid decode(const RawGuid& raw) noexcept {
  constexpr std::array<u8, 16> order{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  Guid guid;
  for (std::size_t index = 0; index < order.size(); ++index) {
    guid.bytes[index] = raw.bytes[order[index]];
  }
  return guid;
}
[[nodiscard]] constexpr RawGuid encode(const Guid& guid) noexcept {
  return RawGuid{decode(RawGuid{guid.bytes}).bytes};  // the swap is its own inverse
}

struct RawFileIdentifier {
  std::array<char, 8> signature;
  std::array<std::byte, 512> creator;  ///< UTF-16LE
};
static_assert(sizeof(RawFileIdentifier) == 520);

struct RawHeader {
  std::array<char, 4> signature;
  little_uint32_buf_t checksum;
  little_uint64_buf_t sequence_number;
  RawGuid file_write_guid;
  RawGuid data_write_guid;
  RawGuid log_guid;
  little_uint16_buf_t log_version;
  little_uint16_buf_t version;
  little_uint32_buf_t log_length;
  little_uint64_buf_t log_offset;
  std::array<std::byte, 4016> reserved;
};
static_assert(sizeof(RawHeader) == header_size && alignof(RawHeader) == 1);
static_assert(offsetof(RawHeader, log_version) == 64 && offsetof(RawHeader, log_offset) == 72);

struct RawRegionTableHeader {
  std::array<char, 4> signature;
  little_uint32_buf_t checksum;
  little_uint32_buf_t entry_count;
  little_uint32_buf_t reserved;
};
static_assert(sizeof(RawRegionTableHeader) == 16);

struct RawRegionEntry {
  RawGuid guid;
  little_uint64_buf_t file_offset;
  little_uint32_buf_t length;
  little_uint32_buf_t required;
};
static_assert(sizeof(RawRegionEntry) == 32 && alignof(RawRegionEntry) == 1);

struct RawMetadataTableHeader {
  std::array<char, 8> signature;
  little_uint16_buf_t reserved;
  little_uint16_buf_t entry_count;
  std::array<std::byte, 20> reserved2;
};
static_assert(sizeof(RawMetadataTableHeader) == 32);

struct RawMetadataEntry {
  RawGuid item_id;
  little_uint32_buf_t offset;
  little_uint32_buf_t length;
  little_uint32_buf_t flags;
  little_uint32_buf_t reserved2;
};
static_assert(sizeof(RawMetadataEntry) == 32 && alignof(RawMetadataEntry) == 1);

struct RawFileParameters {
  little_uint32_buf_t block_size;
  little_uint32_buf_t flags;  ///< bit 0 LeaveBlocksAllocated, bit 1 HasParent
};
static_assert(sizeof(RawFileParameters) == 8);

struct RawParentLocatorHeader {
  RawGuid locator_type;
  little_uint16_buf_t reserved;
  little_uint16_buf_t key_value_count;
};
static_assert(sizeof(RawParentLocatorHeader) == 20);

struct RawParentLocatorEntry {
  little_uint32_buf_t key_offset;
  little_uint32_buf_t value_offset;
  little_uint16_buf_t key_length;
  little_uint16_buf_t value_length;
};
static_assert(sizeof(RawParentLocatorEntry) == 12 && alignof(RawParentLocatorEntry) == 1);

struct RawLogEntryHeader {
  std::array<char, 4> signature;
  little_uint32_buf_t checksum;
  little_uint32_buf_t entry_length;
  little_uint32_buf_t tail;
  little_uint64_buf_t sequence_number;
  little_uint32_buf_t descriptor_count;
  little_uint32_buf_t reserved;
  RawGuid log_guid;
  little_uint64_buf_t flushed_file_offset;
  little_uint64_buf_t last_file_offset;
};
static_assert(sizeof(RawLogEntryHeader) == 64 && alignof(RawLogEntryHeader) == 1);

struct RawLogDescriptor {
  std::array<char, 4> signature;
  std::array<std::byte, 4> trailing_bytes;  ///< data: bytes 4092..4095; zero: reserved
  std::array<std::byte, 8> leading_bytes;   ///< data: bytes 0..7; zero: ZeroLength (u64 LE)
  little_uint64_buf_t file_offset;
  little_uint64_buf_t sequence_number;
};
static_assert(sizeof(RawLogDescriptor) == 32 && alignof(RawLogDescriptor) == 1);

struct RawLogDataSector {
  std::array<char, 4> signature;
  little_uint32_buf_t sequence_high;
  std::array<std::byte, 4084> data;  ///< page bytes 8..4091
  little_uint32_buf_t sequence_low;
};
static_assert(sizeof(RawLogDataSector) == log_sector_size && alignof(RawLogDataSector) == 1);

}  // namespace vdisk::vhdx
