#include "engine/mirror_rounds.h"

#include "base/try.h"
#include "engine/copy.h"

namespace vdisk {

namespace {

/// A cancel is noticed between two pieces of this size.
constexpr u64 largest_piece = 4 * mib;

/// The last step of every part, which is taken only when the mirror is in step.
constexpr u64 last_step = 1;

}  // namespace

void MirrorRounds::expect(u64 bytes) {
  progress_.expect(bytes + last_step);
}

Status MirrorRounds::first_copy(const Disk& source, Disk& target) {
  progress_.phase("copy");
  expect(source.size());
  VDISK_ASSIGN(const auto counts, copy_content(source, target, {}, progress_));
  owner_.add_copied(counts.written_bytes);
  progress_.phase("mirror");
  return {};
}

template <class AfterPiece>
Status MirrorRounds::go_over(const Disk& source, Disk& target, const AfterPiece& after_piece) {
  Progress uncounted;
  u64 zeroed_bytes = 0;
  u64 from = 0;
  while (const auto range = dirty_.take(from, largest_piece)) {
    VDISK_ASSIGN(const auto counts, copy_over(source, target, *range, uncounted));
    owner_.add_copied(counts.written_bytes);
    zeroed_bytes += counts.zeroed_bytes;
    from = range->end;
    VDISK_TRY(after_piece(range->end - range->begin));
    if (from >= source.size()) break;  // the last chunk may be a short one
  }
  // Space that zeros gave back is used again only after a flush.
  return zeroed_bytes > 0 ? target.flush() : Status();
}

Status MirrorRounds::round(const Disk& source, Disk& target) {
  const u64 bytes = dirty_.dirty_bytes();
  if (bytes == 0) return {};
  expect(bytes);
  return go_over(source, target, [this](u64 length) { return progress_.advance(length); });
}

Status MirrorRounds::quiet_round(const Disk& source, Disk& target) {
  return go_over(source, target, [this](u64) -> Status {
    if (progress_.canceled()) return fail(Errc::canceled, "canceled");
    return {};
  });
}

bool MirrorRounds::arrive() {
  if (dirty_.dirty_bytes() != 0) return false;
  (void)progress_.advance(last_step);  // whoever sees that it is in step sees equal values
  return owner_.arrive([this] { return dirty_.dirty_bytes() == 0; });
}

}  // namespace vdisk
