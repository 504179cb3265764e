/// Progress: what a long operation tells about itself, and how it learns of a cancel.
#pragma once

#include <memory>
#include <string_view>

#include "vdisk/error.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// One snapshot of an operation (compare VIRTUAL_DISK_PROGRESS). Only operation_status tells
/// completion; the values mean something only as the quotient current_value / completion_value and
/// only while pending. completion_value > 0 while pending.
struct JobStatus {
  Errc operation_status = Errc::pending;
  u64 current_value = 0;
  u64 completion_value = 1;
};

namespace detail {
class JobCore;
}

/// Handed to every long operation. Threads: written by the operation's thread, read by any.
/// A default-constructed Progress belongs to no job: it counts, and is never canceled.
class Progress {
 public:
  Progress();
  explicit Progress(std::shared_ptr<detail::JobCore> core);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Names the part that begins now ("copy", "flush", ...); restarts nothing.
  void phase(std::string_view name);
  /// Sets the completion value of what follows and the current value to 0.
  void expect(u64 completion);
  /// Adds to the current value. Fails with Errc::canceled once a cancel has won.
  Status advance(u64 amount);
  [[nodiscard]] bool canceled() const noexcept;
  /// From here on a cancel comes too late. Fails with Errc::canceled when one has won already.
  Status point_of_no_return();

  [[nodiscard]] JobStatus status() const;

 private:
  std::shared_ptr<detail::JobCore> core_;
};

}  // namespace vdisk
#pragma GCC visibility pop
