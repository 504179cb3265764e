#include "engine/change_watch.h"

namespace vdisk {

ChangeWatch::Entry ChangeWatch::enter_watched() {
  const std::lock_guard lock(mutex_);
  if (held_) return Entry::refused;
  ++under_way_;
  return Entry::watched;
}

void ChangeWatch::leave_watched(Entry entry, u64 offset, u64 length) noexcept {
  const std::lock_guard lock(mutex_);
  if (watcher_ != nullptr) watcher_->changed(offset, length);
  if (entry != Entry::watched) return;
  --under_way_;
  if (held_ && under_way_ == 0) released_or_left_.notify_all();
}

void ChangeWatch::wait_until_released() {
  std::unique_lock lock(mutex_);
  released_or_left_.wait(lock, [this] { return !held_; });
}

bool ChangeWatch::attach(Watcher& watcher) {
  const std::lock_guard lock(mutex_);
  if (watcher_ != nullptr) return false;
  watcher_ = &watcher;
  watched_ = true;
  return true;
}

void ChangeWatch::detach() noexcept {
  const std::lock_guard lock(mutex_);
  watcher_ = nullptr;
  watched_ = false;
  held_ = false;
  released_or_left_.notify_all();
}

void ChangeWatch::hold() {
  std::unique_lock lock(mutex_);
  held_ = true;
  released_or_left_.wait(lock, [this] { return under_way_ == 0; });
}

void ChangeWatch::release() noexcept {
  const std::lock_guard lock(mutex_);
  held_ = false;
  released_or_left_.notify_all();
}

}  // namespace vdisk
