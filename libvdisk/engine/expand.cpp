/// expand: growing a disk in place.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/size_change.h"

namespace vdisk {

namespace {

Status check_new_size(const Disk& disk, const ExpandOptions& options) {
  if (options.size >= disk.size()) return {};
  return fail(Errc::cannot_shrink,
              fmt::format("{}: new size: {} bytes, expected at least the present {} bytes",
                          options.path.string(), options.size, disk.size()));
}

/// Beyond its end a child hides its parent: growing must not bring the parent's bytes to light.
Status check_parent(const Disk& disk, const ExpandOptions& options) {
  VDISK_TRY(require_parents(disk));
  const auto& core = DiskAccess::core(disk);
  if (core.sizes.size() < 2 || core.sizes[1] <= core.sizes[0]) return {};
  return fail(Errc::parent_size_mismatch,
              fmt::format("{}: parent: {} bytes, expected at most {} bytes: growing the child "
                          "would show bytes of the parent that it hides now",
                          options.path.string(), core.sizes[1], core.sizes[0]));
}

/// Everything is looked at before anything changes. Then, each step durable before the next: a
/// damaged primary GPT, the size, and the table at the new end.
class Expand {
 public:
  Expand(Disk& disk, const ExpandOptions& options, Progress& progress)
      : disk_(disk), options_(options), progress_(progress) {}

  Result<Resized> run() {
    Resized resized{.old_size = disk_.size(), .new_size = options_.size};
    const u64 more = options_.size - disk_.size();
    if (more != 0) VDISK_TRY(check_parent(disk_, options_));
    VDISK_TRY(look_at_table());
    const bool moves = move_ && options_.fix_gpt;
    if (more != 0 || moves) VDISK_TRY(refuse_children(disk_, options_.open));
    if (moves) VDISK_TRY(check_move());
    progress_.phase("expand");
    if (more != 0) progress_.expect(more);
    VDISK_TRY(progress_.point_of_no_return());
    if (moves) VDISK_TRY(rescue_gpt(disk_, table_));
    if (more != 0) VDISK_TRY(DiskAccess::core(disk_).expand(options_.size));
    if (moves) VDISK_TRY(move_gpt(disk_, *move_));
    resized.gpt = gpt_place();
    VDISK_TRY(progress_.advance(more));
    return resized;
  }

 private:
  Status look_at_table() {
    auto table = read_partitions(disk_);
    if (table) {
      table_ = *std::move(table);
    } else if (options_.fix_gpt) {  // growing does not need to know, moving does
      return std::unexpected(std::move(table).error());
    }
    if (table_.gpt && options_.fix_gpt && !table_.fits(options_.size)) return refuse_no_room();
    VDISK_ASSIGN(move_, plan_gpt(disk_, table_, options_.size));
    const bool only_backup = table_.gpt && !table_.gpt->primary;
    if (!only_backup || options_.fix_gpt || options_.size == disk_.size()) return {};
    return fail(Errc::wrong_state,
                fmt::format("{}: partition table: the primary GPT is damaged, expected a sound one "
                            "or fix_gpt: its backup is only found at the end of the disk",
                            options_.path.string()));
  }

  [[nodiscard]] Status refuse_no_room() const {
    return fail(Errc::wrong_state,
                fmt::format("{}: partition table: its last partition leaves no room behind it, "
                            "expected {} bytes for the backup",
                            options_.path.string(), table_.gpt->backup_bytes()));
  }

  Status check_move() const {
    VDISK_TRY(require_parents(disk_));
    VDISK_TRY(refuse_saved_state(disk_));
    VDISK_TRY(require_movable_gpt(disk_, table_));
    return refuse_foreign_bytes(disk_, table_, *move_, Errc::wrong_state);
  }

  [[nodiscard]] GptPlace gpt_place() const {
    if (!table_.gpt) return GptPlace::none;
    if (!table_.fits(options_.size)) return GptPlace::left_behind;
    if (!move_) return GptPlace::at_end;
    return options_.fix_gpt ? GptPlace::moved : GptPlace::left_behind;
  }

  Disk& disk_;
  const ExpandOptions& options_;
  Progress& progress_;
  partition::PartitionTable table_;
  std::optional<partition::GptMove> move_;  ///< empty: nothing to move, or no room
};

}  // namespace

Result<Resized> expand(const ExpandOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_write;
  VDISK_ASSIGN(auto disk, Disk::open(options.path, open));
  VDISK_TRY(check_new_size(disk, options));
  VDISK_ASSIGN(const Resized resized, Expand(disk, options, progress).run());
  VDISK_TRY(disk.close());
  return resized;
} catch (...) {
  return error_of_exception();
}

std::string_view name(GptPlace place) noexcept {
  switch (place) {
    case GptPlace::none: return "none";
    case GptPlace::at_end: return "at_end";
    case GptPlace::moved: return "moved";
    case GptPlace::left_behind: break;
  }
  return "left_behind";
}

}  // namespace vdisk
