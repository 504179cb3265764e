/// follow: a copy that stays in step with an image which other processes change.
///
/// Nothing is known about what they change: both disks are compared, and what differs is marked and
/// copied as a mirror of an open disk does it.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/compare.h"
#include "engine/mirror_rounds.h"
#include "engine/new_image.h"
#include "engine/source.h"
#include "engine/source_watch.h"
#include "io/file_stamp.h"

namespace vdisk {

namespace {

/// A source that changes all the time is copied all the same after so many looks.
constexpr int most_patient_looks = 4;

/// What stays the same as long as it is the same disk.
struct DiskIdentity {
  u64 size = 0;
  Guid id;
};

DiskIdentity identity_of(const Disk& disk) {
  return {.size = disk.size(), .id = DiskAccess::core(disk).leaf().info().id};
}

std::vector<std::filesystem::path> paths_of(const Disk& disk) {
  std::vector<std::filesystem::path> paths;
  for (const Layer& layer : DiskAccess::core(disk).layers) paths.push_back(layer.path);
  return paths;
}

class Follower {
 public:
  Follower(const FollowOptions& options, MirrorSwitch::Core& owner, Progress& progress)
      : options_(options),
        owner_(owner),
        progress_(progress),
        watch_(options.stamp_of ? options.stamp_of : StampOf(host_stamp)) {
    watch_.watch({options.source});
  }

  /// Leaves it open for the first copy.
  Result<const Disk*> open_first() {
    VDISK_ASSIGN(look_, watch_.look());
    VDISK_TRY(open());
    identity_ = identity_of(*source_);
    return &*source_;
  }

  Status run(Disk& target) {
    rounds_.emplace(identity_.size, owner_, progress_);
    VDISK_TRY(rounds_->first_copy(*source_, target));
    for (;;) {
      settle();
      VDISK_ASSIGN(const bool broken, owner_.wait_for_break(options_.interval, progress_));
      VDISK_TRY(keep_up(target, broken));
      if (broken) return {};
    }
  }

 private:
  /// The files below the source are known only now that it is open, and locked.
  Status open() {
    VDISK_ASSIGN(Disk opened,
                 open_source({.path = options_.source, .open = options_.open}, progress_));
    watch_.watch(paths_of(opened));
    VDISK_ASSIGN(auto with_parents, watch_.look());
    with_parents.stamps.front() = look_.stamps.front();
    look_.stamps = std::move(with_parents.stamps);
    source_ = std::move(opened);
    return {};
  }

  /// What was opened has been read; others may open it again.
  void settle() {
    if (!source_) return;
    watch_.accept(look_, options_.open.lock);
    source_.reset();
    patient_looks_ = 0;
    (void)rounds_->arrive();
  }

  Status keep_up(Disk& target, bool last_chance) {
    auto look = watch_.look();
    if (!look) return stay_behind(look.error());
    if (!watch_.has_changed(*look)) {
      (void)rounds_->arrive();
      return {};
    }
    owner_.leave_step();
    // Somebody is writing at this moment, it seems: one comparison afterwards is enough.
    if (look->young() && !last_chance && ++patient_looks_ < most_patient_looks) return {};
    look_ = *std::move(look);
    if (auto opened = open(); !opened) return stay_behind(opened.error());
    VDISK_TRY(require_same_disk());
    return catch_up(target);
  }

  /// Maybe only for now: the copy is kept, and the source looked at again.
  Status stay_behind(const Error& error) {
    if (error.code == Errc::canceled) return std::unexpected(error);
    owner_.set_behind(error.message);
    return {};
  }

  Status require_same_disk() const {
    const auto found = identity_of(*source_);
    if (found.size == identity_.size && found.id == identity_.id) return {};
    return fail(Errc::disk_id_mismatch,
                fmt::format("{}: disk: {} of {} bytes, expected {} of {} bytes as when the mirror "
                            "began",
                            options_.source.string(), to_string(found.id), found.size,
                            to_string(identity_.id), identity_.size));
  }

  Status catch_up(Disk& target) {
    progress_.phase("compare");
    rounds_->expect(target.size());
    const auto mark = [this](u64 offset, u64 length) { rounds_->dirty().mark(offset, length); };
    VDISK_TRY(compare_disks(*source_, target, mark, progress_));
    progress_.phase("mirror");
    VDISK_TRY(rounds_->round(*source_, target));
    settle();
    return {};
  }

  const FollowOptions& options_;
  MirrorSwitch::Core& owner_;
  Progress& progress_;
  SourceWatch watch_;
  SourceWatch::Look look_;  ///< at the files of `source_`, before it was opened
  std::optional<Disk> source_;
  DiskIdentity identity_;
  std::optional<MirrorRounds> rounds_;
  int patient_looks_ = 0;
};

Status check_options(const FollowOptions& options) {
  if (!options.open.file_system || options.stamp_of) return {};
  return fail(Errc::invalid_argument,
              "stamp_of: missing, expected one for files that are not the host's");
}

}  // namespace

Result<CreatedDisk> follow(const FollowOptions& options, const MirrorSwitch& mirror_switch,
                           Progress& progress) try {
  VDISK_TRY(check_options(options));
  auto file_system = file_system_of(options.open);
  Follower follower(options, MirrorAccess::core(mirror_switch), progress);
  VDISK_ASSIGN(const Disk* source, follower.open_first());
  VDISK_ASSIGN(const auto plan, plan_copy(options.target, *source, options.size));
  VDISK_TRY(check_target(*file_system, plan, source));
  const u64 size = source->size();
  const auto fill = [&](Disk& target) { return follower.run(target); };
  VDISK_ASSIGN(auto created, build_image(std::move(file_system), plan, {.fill = fill}, progress));
  created.copied =
      CopyReport{.source_size = size, .written_bytes = mirror_switch.state().copied_bytes};
  return created;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
