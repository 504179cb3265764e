/// On-disk structures of VHD, byte for byte (FORMATS section 1). Big-endian; ids are 16 opaque
/// bytes. Raw structures never leave this folder: decode and encode turn them into values.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

#include <boost/endian/buffers.hpp>

#include "vdisk/types.h"

namespace vdisk::vhd {

using boost::endian::big_uint16_buf_t;
using boost::endian::big_uint32_buf_t;
using boost::endian::big_uint64_buf_t;

inline constexpr u64 sector_size = 512;
inline constexpr u64 footer_size = 512;
/// Products before Virtual PC 2004 wrote the footer without its last reserved byte.
inline constexpr u64 legacy_footer_size = 511;
inline constexpr u64 dynamic_header_size = 1024;
inline constexpr std::size_t locator_count = 8;
inline constexpr std::size_t parent_name_size = 512;
/// Data of blocks that we place start at multiples of this.
inline constexpr u64 data_alignment = 4096;

inline constexpr std::string_view footer_cookie = "conectix";
inline constexpr std::string_view poisoned_cookie = "v_poison";
inline constexpr std::string_view header_cookie = "cxsparse";
inline constexpr std::string_view batmap_cookie = "tdbatmap";

inline constexpr u64 no_offset = std::numeric_limits<u64>::max();
/// The specification prints "no offset" with 32 bits; some writers took it by its word (D1).
inline constexpr u64 no_offset_32 = 0xFFFFFFFF;
inline constexpr u32 unallocated = 0xFFFFFFFF;
inline constexpr u32 highest_block_sector = 0xFFFFFFFE;
inline constexpr u32 version_1_0 = 0x00010000;

/// 0xFF000000 sectors: what Windows and qemu accept (FORMATS 1.9).
inline constexpr u64 max_virtual_size = 2040 * gib;
/// The highest count that a disk of 2040 GiB can need, with blocks of one sector.
inline constexpr u64 max_useful_table_entries = max_virtual_size / sector_size;
/// A disk of 2040 GiB in blocks of 256 KiB, half the smallest size ever produced; keeps the sorted
/// list of all blocks within 32 MiB.
inline constexpr u64 max_block_count = u64{1} << 23;
inline constexpr u32 min_block_size = 512;
inline constexpr u32 max_block_size = 256 * mib;

struct RawFooter {
  std::array<char, 8> cookie;
  big_uint32_buf_t features;
  big_uint32_buf_t file_format_version;
  big_uint64_buf_t data_offset;
  big_uint32_buf_t time_stamp;
  std::array<char, 4> creator_application;
  big_uint32_buf_t creator_version;
  std::array<char, 4> creator_host_os;
  big_uint64_buf_t original_size;
  big_uint64_buf_t current_size;
  big_uint16_buf_t cylinders;
  u8 heads;
  u8 sectors_per_track;
  big_uint32_buf_t disk_type;
  big_uint32_buf_t checksum;
  std::array<u8, 16> unique_id;
  u8 saved_state;
  std::array<std::byte, 427> reserved;  ///< byte 0: "hidden" flag of blktap
};
static_assert(sizeof(RawFooter) == footer_size && alignof(RawFooter) == 1);
static_assert(offsetof(RawFooter, disk_type) == 60 && offsetof(RawFooter, unique_id) == 68);
static_assert(offsetof(RawFooter, saved_state) == 84);

struct RawParentLocator {
  big_uint32_buf_t platform_code;
  big_uint32_buf_t data_space;
  big_uint32_buf_t data_length;
  big_uint32_buf_t reserved;
  big_uint64_buf_t data_offset;
};
static_assert(sizeof(RawParentLocator) == 24);

struct RawDynamicHeader {
  std::array<char, 8> cookie;
  big_uint64_buf_t data_offset;
  big_uint64_buf_t table_offset;
  big_uint32_buf_t header_version;
  big_uint32_buf_t max_table_entries;
  big_uint32_buf_t block_size;
  big_uint32_buf_t checksum;
  std::array<u8, 16> parent_unique_id;
  big_uint32_buf_t parent_time_stamp;
  big_uint32_buf_t reserved_1;
  std::array<std::byte, parent_name_size> parent_unicode_name;
  std::array<RawParentLocator, locator_count> parent_locators;
  std::array<std::byte, 256> reserved_2;
};
static_assert(sizeof(RawDynamicHeader) == dynamic_header_size && alignof(RawDynamicHeader) == 1);
static_assert(offsetof(RawDynamicHeader, checksum) == 36);
static_assert(offsetof(RawDynamicHeader, parent_locators) == 576);

struct RawBatmapHeader {
  std::array<char, 8> cookie;
  big_uint64_buf_t batmap_offset;
  big_uint32_buf_t batmap_size_sectors;
  big_uint32_buf_t version;
  big_uint32_buf_t checksum;
  std::array<std::byte, 484> rest;  ///< marker, key hash, reserved
};
static_assert(sizeof(RawBatmapHeader) == 512);

}  // namespace vdisk::vhd
