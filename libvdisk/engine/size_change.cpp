#include "engine/size_change.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/children.h"

namespace vdisk {

namespace {

const std::filesystem::path& path_of(const Disk& disk) {
  return DiskAccess::core(disk).layers.front().path;
}

partition::DiskBytes bytes_of_disk(const Disk& disk) {
  return {.size = disk.size(),
          .sector_size = disk.geometry().logical_sector_size,
          .read = [&disk](u64 offset, std::span<std::byte> out) { return disk.read(offset, out); }};
}

Status write_all(Disk& disk, std::span<const partition::TableWrite> writes) {
  for (const auto& write : writes) VDISK_TRY(write_unaligned(disk, write.offset, write.bytes));
  return {};
}

}  // namespace

Status refuse_children(const Disk& disk, const OpenOptions& options) {
  const auto& core = DiskAccess::core(disk);
  VDISK_ASSIGN(const auto search, search_for_children(core.layers.front(), options));
  VDISK_ASSIGN(const auto children, find_children(*core.file_system, search));
  if (children.empty()) return {};
  return fail(Errc::has_children,
              fmt::format("{}: is the parent of {}, expected no children: a new size would "
                          "invalidate them",
                          path_of(disk).string(), children.front().string()));
}

Status require_parents(const Disk& disk) {
  if (disk.complete()) return {};
  return fail(Errc::parent_not_found,
              fmt::format("{}: parent: not opened, expected it to be known before the size of "
                          "the child changes",
                          path_of(disk).string()));
}

Status refuse_saved_state(const Disk& disk) {
  if (!DiskAccess::core(disk).leaf().info().saved_state) return {};
  return fail(Errc::wrong_state, fmt::format("{}: belongs to a virtual machine in saved state",
                                             path_of(disk).string()));
}

Result<partition::PartitionTable> read_partitions(const Disk& disk) {
  return partition::read_partition_table(bytes_of_disk(disk));
}

Result<std::optional<partition::GptMove>> plan_gpt(const Disk& disk,
                                                   const partition::PartitionTable& table,
                                                   u64 new_size) {
  if (!table.gpt || !table.fits(new_size)) return std::optional<partition::GptMove>();
  return partition::plan_gpt_move(bytes_of_disk(disk), table, new_size);
}

Status refuse_foreign_bytes(const Disk& disk, const partition::PartitionTable& table,
                            const partition::GptMove& move, Errc code) {
  const u64 begin = std::min(move.first.offset, disk.size());
  std::vector<std::byte> present(std::min<u64>(move.first.bytes.size(), disk.size() - begin));
  VDISK_TRY(disk.read(begin, present));
  const auto found = partition::foreign_byte(*table.gpt, move, std::move(present));
  if (!found) return {};
  return fail_at(*found, code,
                 fmt::format("{}: disk at {:#x}: data outside of all partitions, expected zeros "
                             "where the backup of the partition table goes",
                             path_of(disk).string(), *found));
}

Status require_movable_gpt(const Disk& disk, const partition::PartitionTable& table) {
  if (!table.gpt || table.gpt->primary || partition::rescue_primary(table)) return {};
  return fail(Errc::wrong_state,
              fmt::format("{}: partition table: the primary GPT is damaged, and its place is in "
                          "use, expected a sound one",
                          path_of(disk).string()));
}

Status rescue_gpt(Disk& disk, const partition::PartitionTable& table) {
  if (!table.gpt || table.gpt->primary) return {};
  VDISK_TRY(require_movable_gpt(disk, table));
  VDISK_TRY(write_all(disk, *partition::rescue_primary(table)));
  return disk.flush();
}

Status move_gpt(Disk& disk, const partition::GptMove& move) {
  VDISK_TRY(write_unaligned(disk, move.first.offset, move.first.bytes));
  VDISK_TRY(disk.flush());
  VDISK_TRY(write_all(disk, move.then));
  VDISK_TRY(disk.flush());
  for (const auto& range : move.stale) {
    VDISK_TRY(zero_unaligned(disk, range.begin, range.end - range.begin));
  }
  return move.stale.empty() ? Status() : disk.flush();
}

}  // namespace vdisk
