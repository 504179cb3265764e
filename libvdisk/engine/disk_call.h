/// A call of a Disk, as the thread sees it that makes it.
#pragma once

namespace vdisk {

/// Tells a call from one that a File makes while it serves a call of the same disk: that one would
/// wait for a lock that its own thread holds (HOSTILE E-25).
class DiskCall {
 public:
  explicit DiskCall(const void* disk) : disk_(disk), outer_(innermost_) {
    for (const DiskCall* call = outer_; call != nullptr; call = call->outer_) {
      nested_ = nested_ || call->disk_ == disk;
    }
    innermost_ = this;
  }
  ~DiskCall() { innermost_ = outer_; }
  DiskCall(const DiskCall&) = delete;
  DiskCall& operator=(const DiskCall&) = delete;

  [[nodiscard]] bool nested() const { return nested_; }

 private:
  inline static thread_local const DiskCall* innermost_ = nullptr;

  const void* disk_;
  const DiskCall* outer_;
  bool nested_ = false;
};

}  // namespace vdisk
