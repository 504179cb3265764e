/// What every mirror does: a first copy, then rounds over what changed since.
#pragma once

#include "engine/dirty_chunks.h"
#include "engine/mirror_switch.h"

namespace vdisk {

/// Progress: current and completion are equal in step and nowhere else. Threads: one, besides the
/// ones that mark chunks.
class MirrorRounds {
 public:
  MirrorRounds(u64 source_size, MirrorSwitch::Core& owner, Progress& progress)
      : dirty_(source_size), owner_(owner), progress_(progress) {}

  [[nodiscard]] DirtyChunks& dirty() { return dirty_; }

  /// Into a target that reads as zeros.
  Status first_copy(const Disk& source, Disk& target);
  /// Goes once over what is dirty when it comes by.
  Status round(const Disk& source, Disk& target);
  /// The same without telling the job, whose callbacks might wait for changes that are held. Ends
  /// with Errc::canceled all the same.
  Status quiet_round(const Disk& source, Disk& target);
  /// Begins a part of the work that is `bytes` long.
  void expect(u64 bytes);
  /// True: in step, unless something is dirty.
  bool arrive();

 private:
  template <class AfterPiece>
  Status go_over(const Disk& source, Disk& target, const AfterPiece& after_piece);

  DirtyChunks dirty_;
  MirrorSwitch::Core& owner_;
  Progress& progress_;
};

}  // namespace vdisk
