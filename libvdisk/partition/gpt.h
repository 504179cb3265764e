/// GUID partition tables: finding the sound copies of one.
#pragma once

#include "partition/partition_table.h"
#include "partition/structures.h"

namespace vdisk::partition {

/// A GPT laid out in sectors of `sector_size`, which may be empty. A copy is sound when its
/// checksums are right and its entries lie where they have to: the primary's before the room for
/// partitions, the backup's between that room and its header.
[[nodiscard]] Result<Gpt> read_gpt(const DiskBytes& disk, u32 sector_size);

/// The entries in use. Empty: one of them cannot be.
[[nodiscard]] std::optional<std::vector<Partition>> gpt_partitions(
    std::span<const std::byte> entries, u32 entry_size, u32 sector_size);

[[nodiscard]] RawGptHeader header_of(const GptCopy& copy);
/// The checksum of a header, its own field counted as zero. Requires header_size <= sector.size().
[[nodiscard]] u32 header_crc(std::span<const std::byte> sector, u32 header_size);
inline constexpr std::size_t header_crc_offset = 16;

}  // namespace vdisk::partition
