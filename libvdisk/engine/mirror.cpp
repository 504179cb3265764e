/// mirror: a copy that stays in step with a disk which this process goes on changing.
///
/// A change is marked after it was made. A range that is copied while it changes is therefore
/// copied again, and what is not marked is in the copy.
#include "vdisk/mirror.h"

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/mirror_rounds.h"
#include "engine/new_image.h"

namespace vdisk {

namespace {

/// Before changes are held, rounds go on while they get shorter: what then is left is little.
constexpr int most_open_rounds = 8;
constexpr u64 little_left = mib;

/// Watches the source for its lifetime.
class LiveMirror final : public ChangeWatch::Watcher {
 public:
  LiveMirror(Disk& source, MirrorSwitch::Core& owner, Progress& progress)
      : source_(source),
        changes_(DiskAccess::core(source).changes),
        owner_(owner),
        progress_(progress),
        rounds_(source.size(), owner, progress) {}
  ~LiveMirror() override {
    if (watching_) changes_.detach();
    owner_.leave_step();
  }

  Status run(Disk& target) {
    VDISK_TRY(DiskAccess::core(source_).watch_changes(*this));
    watching_ = true;
    VDISK_TRY(rounds_.first_copy(source_, target));
    while (!owner_.broken()) {
      VDISK_TRY(rounds_.round(source_, target));
      if (rounds_.arrive()) VDISK_TRY(owner_.wait_for_event(progress_));
    }
    progress_.phase("break");
    VDISK_TRY(open_rounds(target));
    return last_round(target);
  }

  void changed(u64 offset, u64 length) noexcept override {
    rounds_.dirty().mark(offset, length);
    owner_.leave_step();
  }

 private:
  Status open_rounds(Disk& target) {
    u64 left = rounds_.dirty().dirty_bytes();
    for (int round = 0; round < most_open_rounds && left > little_left; ++round) {
      VDISK_TRY(rounds_.round(source_, target));
      const u64 before = left;
      left = rounds_.dirty().dirty_bytes();
      if (left >= before) break;
    }
    return {};
  }

  Status last_round(Disk& target) {
    changes_.hold();
    auto copied = rounds_.quiet_round(source_, target);
    changes_.release();
    return copied;
  }

  Disk& source_;
  ChangeWatch& changes_;
  MirrorSwitch::Core& owner_;
  Progress& progress_;
  MirrorRounds rounds_;
  bool watching_ = false;
};

}  // namespace

Result<CreatedDisk> mirror(Disk& source, const MirrorOptions& options,
                           const MirrorSwitch& mirror_switch, Progress& progress) try {
  VDISK_TRY(DiskAccess::core(source).require_unwatched());
  auto file_system = options.file_system ? options.file_system : host_file_system();
  VDISK_ASSIGN(const auto plan, plan_copy(options.target, source, options.size));
  VDISK_TRY(check_target(*file_system, plan, &source));
  const u64 size = source.size();  // when the copy is complete the source may be closed
  auto& owner = MirrorAccess::core(mirror_switch);
  const auto fill = [&](Disk& target) { return LiveMirror(source, owner, progress).run(target); };
  VDISK_ASSIGN(auto created, build_image(std::move(file_system), plan, {.fill = fill}, progress));
  created.copied =
      CopyReport{.source_size = size, .written_bytes = mirror_switch.state().copied_bytes};
  return created;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
