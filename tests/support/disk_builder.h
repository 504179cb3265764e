/// Disks with partition tables, built byte by byte from the UEFI specification, without the code
/// under test.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "vdisk/types.h"

namespace vdisk::test {

struct GptPart {
  u64 first = 0;  ///< sector
  u64 last = 0;   ///< sector, inclusive
  std::string name = "part";
};

struct GptShape {
  u64 sectors = 2048;
  u32 sector_size = 512;
  std::vector<GptPart> parts;  ///< entries 1, 2, ...
  u32 entry_count = 128;
  u32 entry_size = 128;

  [[nodiscard]] u64 entries_sectors() const;
  [[nodiscard]] u64 size() const { return sectors * sector_size; }
};

/// The whole disk: protective MBR, both copies, zeros elsewhere.
[[nodiscard]] std::vector<std::byte> gpt_disk(const GptShape& shape);
/// Makes the checksums of the header at a sector, and of the entries that it names, right again.
void seal_gpt(std::vector<std::byte>& disk, u64 header_sector, u32 sector_size);

struct MbrPart {
  u8 type = 0x83;
  u32 first = 0;
  u32 count = 0;
  u8 status = 0;
};
/// Writes the table and the signature into a sector.
void put_mbr(std::vector<std::byte>& disk, u64 offset, const std::vector<MbrPart>& parts);

/// CRC-32 computed bit by bit from its definition.
[[nodiscard]] u32 plain_crc32(std::span<const std::byte> data);

void put_little(std::vector<std::byte>& bytes, u64 offset, u64 value, std::size_t size);
[[nodiscard]] u64 get_little(const std::vector<std::byte>& bytes, u64 offset, std::size_t size);

}  // namespace vdisk::test
