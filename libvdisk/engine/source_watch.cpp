#include "engine/source_watch.h"

#include <algorithm>
#include <chrono>

#include "base/try.h"

namespace vdisk {

namespace {

constexpr i64 nanoseconds_per_second = 1'000'000'000;
/// Longer than a tick of the clocks that file systems use, those that count whole seconds apart.
constexpr i64 fine_tick = nanoseconds_per_second / 10;
constexpr i64 coarse_tick = 2 * nanoseconds_per_second;

i64 now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

bool is_young(const FileStamp& stamp, i64 present) {
  const i64 changed = std::max(stamp.modified_nanoseconds, stamp.changed_nanoseconds);
  const i64 tick = changed % nanoseconds_per_second == 0 ? coarse_tick : fine_tick;
  // In the future by more than that: the clock is another one, and says nothing.
  return changed > present - tick && changed < present + tick;
}

}  // namespace

bool SourceWatch::Look::young_at(i64 moment) const {
  return std::ranges::any_of(stamps,
                             [moment](const FileStamp& stamp) { return is_young(stamp, moment); });
}

void SourceWatch::watch(std::vector<std::filesystem::path> paths) {
  if (paths == paths_) return;
  paths_ = std::move(paths);
  accepted_.clear();
}

Result<SourceWatch::Look> SourceWatch::look() const {
  Look look{.stamps = {}, .nanoseconds = now()};
  for (const auto& path : paths_) {
    VDISK_ASSIGN(const FileStamp stamp, stamp_of_(path));
    look.stamps.push_back(stamp);
  }
  return look;
}

bool SourceWatch::has_changed(const Look& look) const {
  return look.stamps != accepted_;
}

void SourceWatch::accept(const Look& look, bool locked) {
  accepted_.clear();
  if (!look.young_at(locked ? now() : look.nanoseconds)) accepted_ = look.stamps;
}

}  // namespace vdisk
