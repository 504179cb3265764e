#include "engine/mirror_switch.h"

#include <algorithm>

#include "base/try.h"

namespace vdisk {

namespace {

/// A cancel is noticed after this time at the latest.
constexpr std::chrono::milliseconds cancel_interval{50};

i64 seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

}  // namespace

MirrorSwitch::MirrorSwitch() : core_(std::make_shared<Core>()) {}
MirrorSwitch::MirrorSwitch(const MirrorSwitch&) = default;
MirrorSwitch& MirrorSwitch::operator=(const MirrorSwitch&) = default;
MirrorSwitch::~MirrorSwitch() = default;

void MirrorSwitch::break_mirror() const {
  core_->break_off();
}
MirrorState MirrorSwitch::state() const {
  return core_->state();
}

void MirrorSwitch::Core::break_off() {
  const std::lock_guard lock(mutex_);
  broken_ = true;
  event_.notify_all();
}

bool MirrorSwitch::Core::broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

MirrorState MirrorSwitch::Core::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void MirrorSwitch::Core::leave_step() noexcept {
  const std::lock_guard lock(mutex_);
  if (!state_.in_step) return;
  state_.in_step = false;
  event_.notify_all();
}

void MirrorSwitch::Core::note_arrival() {
  state_.in_step = true;
  state_.copied = true;
  state_.behind = false;
  state_.why_behind.clear();
  state_.in_step_seconds = seconds_since_1970();
}

void MirrorSwitch::Core::add_copied(u64 bytes) {
  const std::lock_guard lock(mutex_);
  state_.copied_bytes += bytes;
}

void MirrorSwitch::Core::set_behind(std::string why) {
  const std::lock_guard lock(mutex_);
  state_.in_step = false;
  state_.behind = true;
  state_.why_behind = std::move(why);
}

Status MirrorSwitch::Core::wait_for_event(Progress& progress) {
  for (;;) {
    VDISK_TRY(progress.advance(0));
    std::unique_lock lock(mutex_);
    const auto happened = [this] { return broken_ || !state_.in_step; };
    if (event_.wait_for(lock, cancel_interval, happened)) return {};
  }
}

Result<bool> MirrorSwitch::Core::wait_for_break(std::chrono::milliseconds time,
                                                Progress& progress) {
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    VDISK_TRY(progress.advance(0));
    std::unique_lock lock(mutex_);
    const auto until = std::min(end, std::chrono::steady_clock::now() + cancel_interval);
    if (event_.wait_until(lock, until, [this] { return broken_; })) return true;
    if (std::chrono::steady_clock::now() >= end) return false;
  }
}

}  // namespace vdisk
