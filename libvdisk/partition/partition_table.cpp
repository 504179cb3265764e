#include "partition/partition_table.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "partition/gpt.h"
#include "partition/mbr.h"

namespace vdisk::partition {

namespace {

/// The disk's own sector size first; an image of a disk with other sectors keeps its table.
Result<Gpt> find_gpt(const DiskBytes& disk) {
  VDISK_ASSIGN(Gpt gpt, read_gpt(disk, disk.sector_size));
  constexpr u32 usual_sizes[] = {512, 4096};
  for (const u32 sector_size : usual_sizes) {
    if (!gpt.empty() || sector_size == disk.sector_size) continue;
    VDISK_ASSIGN(gpt, read_gpt(disk, sector_size));
  }
  return gpt;
}

PartitionTable table_of(Gpt gpt) {
  PartitionTable table{.scheme = Scheme::gpt};
  const GptCopy& copy = gpt.current();
  const u32 entry_size = load<RawGptHeader>(copy.header).entry_size.value();
  const auto found = gpt_partitions(copy.entries, entry_size, gpt.sector_size);
  if (found) table.partitions = *found;
  table.gpt.emplace(std::move(gpt));
  return table;
}

}  // namespace

const Partition* PartitionTable::last() const {
  const auto found = std::ranges::max_element(partitions, {}, &Partition::end);
  return found == partitions.end() ? nullptr : &*found;
}

/// The end of the last partition, and what a GPT has behind it: room for one sector of partitions,
/// else its headers contradict themselves, and the backup.
std::optional<u64> PartitionTable::needed_size() const {
  const u64 end = partitions.empty() ? 0 : last()->end;
  if (!gpt) return end;
  return checked_add(std::max(end, gpt->usable.begin + gpt->sector_size), gpt->backup_bytes());
}

std::optional<u64> PartitionTable::smallest_size() const {
  return partitions.empty() ? std::nullopt : needed_size();
}

bool PartitionTable::fits(u64 size) const {
  const auto needed = needed_size();
  return needed && *needed <= (gpt ? round_down(size, gpt->sector_size) : size);
}

Result<PartitionTable> read_partition_table(const DiskBytes& disk) {
  PartitionTable table;
  VDISK_ASSIGN(const Mbr mbr, read_mbr(disk));
  // A GPT without its protective MBR is a leftover, unless there is no MBR at all.
  if (mbr.is_protective() || !mbr.is_signed) {
    VDISK_ASSIGN(Gpt gpt, find_gpt(disk));
    if (!gpt.empty()) return table_of(std::move(gpt));
    table.damaged = mbr.is_protective();
    return table;
  }
  if (!mbr.sound || mbr.is_empty()) return table;
  table.scheme = Scheme::mbr;
  VDISK_ASSIGN(table.partitions, mbr_partitions(disk, mbr));
  return table;
}

}  // namespace vdisk::partition
