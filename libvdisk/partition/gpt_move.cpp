#include "partition/gpt_move.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "partition/gpt.h"
#include "partition/mbr.h"

namespace vdisk::partition {

namespace {

constexpr u64 primary_lba = 1;
constexpr u64 usual_entries_lba = 2;
constexpr u64 tear_size = 512;  ///< storage keeps or loses so many bytes at once

/// A header for another place, its checksum right again.
std::vector<std::byte> sealed(const GptCopy& copy, const RawGptHeader& changed) {
  std::vector<std::byte> sector = copy.header;
  store(std::span(sector), changed);
  const u32 crc = header_crc(sector, changed.header_size.value());
  store(std::span(sector).subspan(header_crc_offset), little_uint32_buf_t(crc));
  return sector;
}

/// The protective entry covers the disk, as far as 32 bits go; a hybrid table is its owner's, and
/// "all that 32 bits can say" is right for every size.
std::optional<TableWrite> moved_mbr(const Mbr& mbr, u64 sector_count) {
  constexpr u32 most = 0xFFFFFFFF;
  RawMbr raw = mbr.raw;
  RawMbrEntry* protective = nullptr;
  std::size_t used = 0;
  for (RawMbrEntry& entry : raw.entries) {
    if (entry.type != type_empty) ++used;
    if (entry.type == type_protective) protective = &entry;
  }
  if (!mbr.sound || used != 1 || protective == nullptr || protective->first_lba.value() != 1) {
    return std::nullopt;
  }
  const auto count = static_cast<u32>(std::min<u64>(sector_count - 1, most));
  const u32 present = protective->sector_count.value();
  if (present == count || present == most) return std::nullopt;
  protective->sector_count = count;
  const auto bytes = bytes_of(raw);
  return TableWrite{0, {bytes.begin(), bytes.end()}};
}

/// What is left of the ranges outside of `kept`.
std::vector<ByteRange> without(const std::vector<ByteRange>& ranges, ByteRange kept) {
  std::vector<ByteRange> left;
  for (const ByteRange& range : ranges) {
    const ByteRange before{range.begin, std::min(range.end, kept.begin)};
    const ByteRange behind{std::max(range.begin, kept.end), range.end};
    if (before.begin < before.end) left.push_back(before);
    if (behind.begin < behind.end) left.push_back(behind);
  }
  return left;
}

/// Backups elsewhere, as far as nothing that counts lies over them.
std::vector<ByteRange> stale_backups(const PartitionTable& table, ByteRange new_backup) {
  const Gpt& gpt = *table.gpt;
  std::vector<ByteRange> stale;
  for (const GptCopy& copy : gpt.backups) {
    for (const ByteRange& range : copy.ranges()) stale.push_back(range);
  }
  stale = without(stale, new_backup);
  stale = without(stale, {0, usual_entries_lba * gpt.sector_size});
  if (gpt.primary) stale = without(stale, gpt.primary->ranges().front());
  for (const Partition& partition : table.partitions) {
    stale = without(stale, {partition.begin, partition.end});
  }
  return stale;
}

/// The header of a copy at `my_lba` whose entries are at `entries_lba`.
RawGptHeader header_at(const GptCopy& copy, u64 my_lba, u64 alternate_lba, u64 entries_lba) {
  RawGptHeader header = header_of(copy);
  header.my_lba = my_lba;
  header.alternate_lba = alternate_lba;
  header.partition_entry_lba = entries_lba;
  return header;
}

TableWrite new_backup(const Gpt& gpt, u64 last_lba, u64 entries_lba) {
  const GptCopy& copy = gpt.current();
  RawGptHeader header = header_at(copy, last_lba, primary_lba, entries_lba);
  header.last_usable_lba = entries_lba - 1;
  const auto sector = sealed(copy, header);
  TableWrite write{entries_lba * gpt.sector_size, copy.entries};
  write.bytes.resize(gpt.backup_bytes() - gpt.sector_size);
  write.bytes.insert(write.bytes.end(), sector.begin(), sector.end());
  return write;
}

bool is_present(const Gpt& gpt, const TableWrite& backup) {
  return std::ranges::any_of(gpt.backups, [&](const GptCopy& copy) {
    const auto header = std::span(backup.bytes).last(copy.header.size());
    return copy.header_offset == backup.offset + backup.bytes.size() - header.size() &&
           copy.entries == gpt.current().entries && std::ranges::equal(copy.header, header);
  });
}

}  // namespace

Result<std::optional<GptMove>> plan_gpt_move(const DiskBytes& disk, const PartitionTable& table,
                                             u64 new_size) {
  const Gpt& gpt = *table.gpt;
  const u64 sector_count = new_size / gpt.sector_size;
  const u64 last_lba = sector_count - 1;
  const u64 entries_lba = sector_count - gpt.backup_bytes() / gpt.sector_size;

  GptMove move{.first = new_backup(gpt, last_lba, entries_lba), .then = {}, .stale = {}};
  VDISK_ASSIGN(const Mbr mbr, read_mbr(disk));
  if (auto write = moved_mbr(mbr, sector_count)) move.then.push_back(*std::move(write));
  const u64 own_entries =
      gpt.primary ? gpt.primary->entries_offset / gpt.sector_size : usual_entries_lba;
  RawGptHeader primary = header_at(gpt.current(), primary_lba, last_lba, own_entries);
  primary.last_usable_lba = entries_lba - 1;
  TableWrite header{primary_lba * gpt.sector_size, sealed(gpt.current(), primary)};
  const bool header_right = gpt.primary && gpt.primary->header == header.bytes;
  if (!header_right) move.then.push_back(std::move(header));
  move.stale =
      stale_backups(table, {move.first.offset, move.first.offset + move.first.bytes.size()});
  const bool settled = is_present(gpt, move.first) && move.then.empty() && move.stale.empty();
  return settled ? std::optional<GptMove>() : std::optional<GptMove>(std::move(move));
}

std::optional<std::vector<TableWrite>> rescue_primary(const PartitionTable& table) {
  const Gpt& gpt = *table.gpt;
  const GptCopy& copy = gpt.current();
  const u64 begin = usual_entries_lba * gpt.sector_size;
  const u64 end = begin + gpt.backup_bytes() - gpt.sector_size;
  const bool free = end / gpt.sector_size <= header_of(copy).first_usable_lba.value() &&
                    std::ranges::none_of(table.partitions, [&](const Partition& partition) {
                      return partition.begin < end;
                    });
  if (!free) return std::nullopt;
  const RawGptHeader header =
      header_at(copy, primary_lba, copy.header_offset / gpt.sector_size, usual_entries_lba);
  return std::vector<TableWrite>{{begin, copy.entries},
                                 {primary_lba * gpt.sector_size, sealed(copy, header)}};
}

std::vector<ByteRange> backup_ranges(const Gpt& gpt) {
  std::vector<ByteRange> ranges = gpt.remains;
  for (const GptCopy& copy : gpt.backups) {
    for (const ByteRange& range : copy.ranges()) ranges.push_back(range);
  }
  if (!gpt.primary) return ranges;
  const u64 alternate = header_of(*gpt.primary).alternate_lba.value();
  const auto end = checked_mul(checked_add(alternate, 1).value_or(0), gpt.sector_size).value_or(0);
  const u64 begin = std::max(end - std::min(end, gpt.backup_bytes()), gpt.usable.end);
  if (begin < end) ranges.push_back({begin, end});
  return ranges;
}

std::optional<u64> foreign_byte(const Gpt& gpt, const GptMove& move,
                                std::vector<std::byte> present) {
  const ByteRange room{move.first.offset, move.first.offset + present.size()};
  for (const ByteRange& range : backup_ranges(gpt)) {
    const u64 from = std::max(range.begin, room.begin);
    const u64 to = std::min(range.end, room.end);
    if (from < to)
      std::ranges::fill(std::span(present).subspan(from - room.begin, to - from), std::byte{});
  }
  for (u64 at = 0; at < present.size(); at += tear_size) {
    const auto piece =
        std::span(present).subspan(at, std::min<u64>(tear_size, present.size() - at));
    if (is_zero(piece)) continue;
    if (std::ranges::equal(piece, std::span(move.first.bytes).subspan(at, piece.size()))) continue;
    const auto found =
        std::ranges::find_if(piece, [](std::byte byte) { return byte != std::byte{}; });
    return room.begin + at + static_cast<u64>(found - piece.begin());
  }
  return std::nullopt;
}

}  // namespace vdisk::partition
