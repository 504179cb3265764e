/// On-disk structures of MBR and GPT, byte for byte (UEFI specification, chapter 5). Little-endian.
/// Raw structures never leave this folder.
#pragma once

#include <array>
#include <string_view>

#include <boost/endian/buffers.hpp>

#include "vdisk/types.h"

namespace vdisk::partition {

using boost::endian::little_uint16_buf_t;
using boost::endian::little_uint32_buf_t;
using boost::endian::little_uint64_buf_t;

inline constexpr u64 mbr_size = 512;
inline constexpr u16 mbr_signature = 0xAA55;
inline constexpr u8 type_empty = 0x00;
inline constexpr u8 type_protective = 0xEE;  ///< covers a disk that has a GPT
inline constexpr std::size_t mbr_entry_count = 4;

struct RawMbrEntry {
  u8 status;  ///< 0x80: boot from here; else 0
  std::array<u8, 3> first_chs;
  u8 type;
  std::array<u8, 3> last_chs;
  little_uint32_buf_t first_lba;
  little_uint32_buf_t sector_count;
};
static_assert(sizeof(RawMbrEntry) == 16 && alignof(RawMbrEntry) == 1);

struct RawMbr {
  std::array<u8, 446> boot_code;
  std::array<RawMbrEntry, mbr_entry_count> entries;
  little_uint16_buf_t signature;
};
static_assert(sizeof(RawMbr) == mbr_size && alignof(RawMbr) == 1);

inline constexpr std::string_view gpt_signature = "EFI PART";
inline constexpr u32 gpt_revision_1_0 = 0x00010000;

struct RawGptHeader {
  std::array<char, 8> signature;
  little_uint32_buf_t revision;
  little_uint32_buf_t header_size;
  little_uint32_buf_t header_crc32;  ///< of header_size bytes, this field being 0
  little_uint32_buf_t reserved;
  little_uint64_buf_t my_lba;
  little_uint64_buf_t alternate_lba;
  little_uint64_buf_t first_usable_lba;
  little_uint64_buf_t last_usable_lba;
  std::array<u8, 16> disk_guid;
  little_uint64_buf_t partition_entry_lba;
  little_uint32_buf_t entry_count;
  little_uint32_buf_t entry_size;
  little_uint32_buf_t entries_crc32;
};
static_assert(sizeof(RawGptHeader) == 92 && alignof(RawGptHeader) == 1);

struct RawGptEntry {
  std::array<u8, 16> type_guid;  ///< zero: the entry is not used
  std::array<u8, 16> unique_guid;
  little_uint64_buf_t first_lba;
  little_uint64_buf_t last_lba;  ///< inclusive
  little_uint64_buf_t attributes;
  std::array<std::byte, 72> name;  ///< UTF-16, padded with zeros
};
static_assert(sizeof(RawGptEntry) == 128 && alignof(RawGptEntry) == 1);

}  // namespace vdisk::partition
