/// Mirrors: a copy of a disk that follows its source until it is broken off (docs/jobs.md).
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "vdisk/operations.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// Where a mirror is.
struct MirrorState {
  /// Every change of the source that returned before this was asked is in the copy.
  bool in_step = false;
  bool copied = false;      ///< it was in step once: breaking it off gives a whole copy at once
  u64 copied_bytes = 0;     ///< by the first copy and everything after it
  i64 in_step_seconds = 0;  ///< when it was known to be in step the last time, since 1970
  /// follow: the source changed after that, and was not looked at since: `why_behind` says why.
  bool behind = false;
  std::string why_behind = {};
};

/// The end of a mirror that its owner holds. Copies are the same switch; one serves one mirror.
/// Threads: safe.
class MirrorSwitch {
 public:
  MirrorSwitch();
  MirrorSwitch(const MirrorSwitch&);
  MirrorSwitch& operator=(const MirrorSwitch&);
  ~MirrorSwitch();

  /// Ends the mirror: the copy is completed and gets its name. Before the first copy is complete,
  /// that is done first. Returns at once; later calls change nothing.
  void break_mirror() const;
  [[nodiscard]] bool in_step() const { return state().in_step; }
  [[nodiscard]] MirrorState state() const;

  struct Core;  ///< the inside, for the library itself

 private:
  friend struct MirrorAccess;
  std::shared_ptr<Core> core_;
};

/// Copies a disk that this process goes on using into a new image, and keeps the copy in step with
/// everything that is done through `source`: write, zero, discard, commit. In step it stays pending
/// with equal values; only break_mirror() and a cancel end it. Every change that returned before
/// break_mirror() was called is in the copy; a change that lasts longer is there as a whole or not
/// at all (what the caller writes itself between reserve and commit, in any part of it).
///
/// Changes of the source go on undisturbed, also when the mirror fails. At the end they wait while
/// the last chunks are copied. `source` must not be moved or destroyed meanwhile; its close() is
/// refused, as a second mirror is: operation_in_progress.
/// Memory: at most 1 MiB for what has to be copied again, besides the pieces that are moved.
/// Crash, cancel, error: the target is absent (or the old file), the source is not touched.
struct MirrorOptions {
  Target target;
  std::optional<u64> size = {};                  ///< of the new disk; unset: that of the source
  std::shared_ptr<FileSystem> file_system = {};  ///< of the target; null: the host's
};
Result<CreatedDisk> mirror(Disk& source, const MirrorOptions& options,
                           const MirrorSwitch& mirror_switch, Progress& progress);

/// What tells that a file changed.
struct FileStamp {
  FileId id = {};
  u64 size = 0;
  i64 modified_nanoseconds = 0;  ///< the content, since 1970
  i64 changed_nanoseconds = 0;   ///< content or names, since 1970
  auto operator<=>(const FileStamp&) const = default;
};
using StampOf = std::function<Result<FileStamp>(const std::filesystem::path&)>;

/// The same for an image that other processes write: it is only open while it is copied, so that
/// they can open it. When its files have changed and it can be opened, both disks are compared and
/// what differs is copied. After break_mirror() that is done once more, if it can be.
/// Errors besides: disk_id_mismatch when another disk stands in the source's place.
struct FollowOptions {
  std::filesystem::path source;
  Target target;
  std::optional<u64> size = {};  ///< of the new disk; unset: that of the source
  OpenOptions open = {};
  std::chrono::milliseconds interval{500};  ///< from one look at the source to the next
  StampOf stamp_of = {};  ///< unset: the host's; needed beside another file system
};
Result<CreatedDisk> follow(const FollowOptions& options, const MirrorSwitch& mirror_switch,
                           Progress& progress);

}  // namespace vdisk
#pragma GCC visibility pop
