/// shrink: cutting the end of a disk off, if nobody misses it. And resize.
///
/// Everything is looked at before anything changes. Then, each step durable before the next: the
/// backup of a GUID partition table at the new end, its primary, the size.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/find_data.h"
#include "engine/size_change.h"

namespace vdisk {

namespace {

using partition::Partition;
using partition::PartitionTable;

std::string name_of(const Partition& partition) {
  if (partition.name.empty()) return fmt::format("partition {}", partition.number);
  return fmt::format("partition {} '{}'", partition.number, partition.name);
}

class Shrink {
 public:
  Shrink(Disk& disk, const ShrinkOptions& options, Progress& progress)
      : disk_(disk), options_(options), progress_(progress) {}

  Result<Resized> run() {
    VDISK_TRY(require_parents(disk_));
    VDISK_TRY(refuse_saved_state(disk_));
    VDISK_ASSIGN(table_, read_partitions(disk_));
    VDISK_TRY(choose_size());
    Resized resized{.old_size = disk_.size(), .new_size = size_};
    const bool changes = size_ != disk_.size();
    VDISK_ASSIGN(move_, plan_gpt(disk_, table_, size_));
    if (changes) VDISK_TRY(check_everything());
    VDISK_TRY(progress_.point_of_no_return());
    if (changes && move_) VDISK_TRY(move_table());
    resized.gpt = gpt_place(changes);
    // For the same size, only what an interrupted run has left is done.
    VDISK_TRY(DiskAccess::core(disk_).shrink(size_));
    return resized;
  }

 private:
  [[nodiscard]] std::string path() const { return options_.path.string(); }

  Status choose_size() {
    const u64 present = disk_.size();
    const u64 sector = disk_.geometry().logical_sector_size;
    size_ = options_.size.value_or(0);
    if (!options_.size) {
      const auto smallest = table_.smallest_size();
      if (!smallest || *smallest > present) return refuse_unknown_size();
      size_ = std::min(round_up(*smallest, sector), present);
    }
    if (size_ > present) {
      return fail(Errc::virtual_size_invalid,
                  fmt::format("{}: new size: {} bytes, expected at most the present {} bytes",
                              path(), size_, present));
    }
    if (size_ != 0 && is_aligned(size_, sector)) return {};
    return fail(Errc::invalid_argument,
                fmt::format("{}: new size: {} bytes, expected a multiple of {} bytes", path(),
                            size_, sector));
  }

  [[nodiscard]] Status refuse_unknown_size() const {
    std::string_view found = "none is found";
    if (table_.damaged) found = "a GPT whose copies are both damaged";
    if (const Partition* last = table_.last()) {
      found = last->end > disk_.size() ? "a partition ends behind the end of the disk"
                                       : "its last partition leaves no room for the table";
    }
    return fail(Errc::smallest_size_unknown,
                fmt::format("{}: partition table: {}, expected one that tells the smallest safe "
                            "size",
                            path(), found));
  }

  Status check_everything() {
    VDISK_TRY(refuse_children(disk_, options_.open));
    VDISK_TRY(check_parent());
    if (move_) VDISK_TRY(require_movable_gpt(disk_, table_));
    if (options_.allow_data_loss) return {};
    VDISK_TRY(check_partitions());
    return check_data();
  }

  /// Where a parent may not be larger than its child, the child may not get smaller than that.
  Status check_parent() const {
    const auto& core = DiskAccess::core(disk_);
    const auto link = core.leaf().info().parent;
    if (!link || link->larger_parent_allowed || core.sizes[1] <= size_) return {};
    return fail(Errc::parent_size_mismatch,
                fmt::format("{}: new size: {} bytes, expected at least the {} bytes of its parent",
                            path(), size_, core.sizes[1]));
  }

  Status check_partitions() const {
    const Partition* last = table_.last();
    if (last == nullptr) return {};
    if (last->end > size_) {
      return fail_at(last->begin, Errc::shrink_would_cut_partition,
                     fmt::format("{}: {}: ends at {:#x} ({} bytes), expected it to end before the "
                                 "new size of {} bytes",
                                 path(), name_of(*last), last->end, last->end, size_));
    }
    if (table_.fits(size_)) return {};
    return fail(Errc::shrink_would_cut_partition,
                fmt::format("{}: {}: leaves {} bytes before the new end, expected {} bytes for the "
                            "backup of the partition table",
                            path(), name_of(*last), size_ - last->end, table_.gpt->backup_bytes()));
  }

  /// The backups of a table may go; that they are no data has been made sure of.
  Status check_data() {
    if (table_.damaged) return refuse_damaged_table();
    std::vector<GuestRange> ignored;
    if (table_.gpt) {
      for (const auto& range : partition::backup_ranges(*table_.gpt)) {
        ignored.push_back({range.begin, range.end});
      }
    }
    progress_.phase("look");
    progress_.expect(disk_.size() - size_);
    VDISK_ASSIGN(const auto found, find_data(disk_, {size_, disk_.size()}, ignored, progress_));
    if (found) {
      return fail_at(*found, Errc::cannot_shrink,
                     fmt::format("{}: disk at {:#x}: data outside of all partitions, expected "
                                 "zeros behind the new end",
                                 path(), *found));
    }
    if (!move_) return {};
    return refuse_foreign_bytes(disk_, table_, *move_, Errc::cannot_shrink);
  }

  [[nodiscard]] Status refuse_damaged_table() const {
    return fail(Errc::cannot_shrink,
                fmt::format("{}: partition table: a GPT whose copies are both damaged, expected "
                            "one that tells where the partitions are",
                            path()));
  }

  /// What lies behind the new end goes with it.
  Status move_table() {
    for (auto& range : move_->stale) range.end = std::min(range.end, size_);
    std::erase_if(move_->stale, [](const auto& range) { return range.begin >= range.end; });
    VDISK_TRY(rescue_gpt(disk_, table_));
    return move_gpt(disk_, *move_);
  }

  [[nodiscard]] GptPlace gpt_place(bool moved) const {
    if (!table_.gpt) return GptPlace::none;
    if (!table_.fits(size_)) return GptPlace::left_behind;
    if (!move_) return GptPlace::at_end;
    return moved ? GptPlace::moved : GptPlace::left_behind;
  }

  Disk& disk_;
  const ShrinkOptions& options_;
  Progress& progress_;
  PartitionTable table_;
  u64 size_ = 0;
  std::optional<partition::GptMove> move_;  ///< empty: nothing to move, or no room
};

}  // namespace

Result<Resized> shrink(const ShrinkOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_write;
  VDISK_ASSIGN(auto disk, Disk::open(options.path, open));
  const std::shared_ptr<File> file = DiskAccess::core(disk).layers.front().file;
  VDISK_ASSIGN(const u64 old_file_size, file->size());
  VDISK_ASSIGN(Resized resized, Shrink(disk, options, progress).run());
  VDISK_TRY(disk.close());
  VDISK_TRY(file->flush());
  VDISK_ASSIGN(const u64 new_file_size, file->size());
  resized.reclaimed_bytes = old_file_size - std::min(old_file_size, new_file_size);
  return resized;
} catch (...) {
  return error_of_exception();
}

Result<Resized> resize(const ResizeOptions& options, Progress& progress) try {
  OpenOptions look = options.open;
  look.access = Access::read_only;
  look.read_log = ReadLog::automatic;
  look.parents = ParentPolicy::none;
  look.parent.reset();
  u64 present = 0;
  {
    VDISK_ASSIGN(const auto disk, Disk::open(options.path, look));
    present = disk.size();
  }
  // An interrupted shrink may have left something behind; expand would not look for it.
  if (options.size < present || (options.size == present && !options.fix_gpt)) {
    return shrink({.path = options.path,
                   .size = options.size,
                   .allow_data_loss = options.allow_data_loss,
                   .open = options.open},
                  progress);
  }
  return expand({.path = options.path,
                 .size = options.size,
                 .fix_gpt = options.fix_gpt,
                 .open = options.open},
                progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
