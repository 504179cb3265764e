/// MBR partition tables, extended ones included.
#pragma once

#include "partition/partition_table.h"
#include "partition/structures.h"

namespace vdisk::partition {

/// The first sector, if it is a partition table at all: a boot sector of a file system has the same
/// signature, but entries that cannot be.
struct Mbr {
  RawMbr raw{};
  bool is_signed = false;  ///< has the signature
  bool sound = false;      ///< and its entries can be partitions

  [[nodiscard]] bool is_protective() const;
  [[nodiscard]] bool is_empty() const;
};
[[nodiscard]] Result<Mbr> read_mbr(const DiskBytes& disk);

/// All partitions; an extended one is listed itself and then the logical ones inside it, as far as
/// their chain is sound.
[[nodiscard]] Result<std::vector<Partition>> mbr_partitions(const DiskBytes& disk, const Mbr& mbr);

}  // namespace vdisk::partition
