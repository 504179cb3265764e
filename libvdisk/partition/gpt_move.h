/// Moving a GUID partition table to another end of its disk.
#pragma once

#include "partition/partition_table.h"

namespace vdisk::partition {

/// Bytes for a place of the disk.
struct TableWrite {
  u64 offset = 0;
  std::vector<std::byte> bytes;
};

/// How a GPT follows the end of its disk. At every instant one copy is sound, and the primary is
/// it: `first` must be durable before `then`, and `then` before `stale` is given up.
struct GptMove {
  TableWrite first;              ///< the new backup: entries, then the header in the last sector
  std::vector<TableWrite> then;  ///< the protective MBR, and the header of the primary
  std::vector<ByteRange> stale;  ///< backups elsewhere; they may lie behind the new end
};

/// The move to the end of a disk of `new_size` bytes; empty when the table is there already.
/// Requires table.gpt and table.fits(new_size). A damaged primary must be rescued before the move
/// is done. Errors: those of disk.read.
[[nodiscard]] Result<std::optional<GptMove>> plan_gpt_move(const DiskBytes& disk,
                                                           const PartitionTable& table,
                                                           u64 new_size);

/// A damaged primary made anew from the backup, which stays: in any order, then durable.
/// Requires table.gpt without a primary. Empty: its place may be somebody else's.
[[nodiscard]] std::optional<std::vector<TableWrite>> rescue_primary(const PartitionTable& table);

/// What the table itself has behind the partitions: its backups, and the place where the primary
/// says that its backup is, which an interrupted move may have torn.
[[nodiscard]] std::vector<ByteRange> backup_ranges(const Gpt& gpt);

/// The first byte of somebody else where the new backup goes. `present` is what is there now, as
/// far as the disk reaches; zeros, backups and what an interrupted move has put there are no one's.
[[nodiscard]] std::optional<u64> foreign_byte(const Gpt& gpt, const GptMove& move,
                                              std::vector<std::byte> present);

}  // namespace vdisk::partition
