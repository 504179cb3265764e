/// Shows how far an operation is: a bar for people, JSON lines for programs. On the standard error.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "output.h"
#include "vdisk/progress.h"

namespace vdisk::tool {

/// What current_value and completion_value count; only bytes have a rate that means something.
enum class Unit { bytes, steps };

/// The fraction that a bar shows: the running maximum, although an operation may fall back.
class ShownProgress {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ShownProgress(Clock::time_point start) : start_(start), scale_start_(start) {}

  void update(const JobStatus& status, Clock::time_point now);
  [[nodiscard]] double fraction() const { return fraction_; }
  /// Values per second in the present scale; unset until there is enough to tell.
  [[nodiscard]] std::optional<double> rate(Clock::time_point now) const;
  /// Unset until there is enough to tell.
  [[nodiscard]] std::optional<std::chrono::seconds> time_left(Clock::time_point now) const;

 private:
  Clock::time_point start_;
  Clock::time_point scale_start_;
  u64 completion_ = 0;
  u64 current_ = 0;
  double fraction_ = 0;
};

/// `convert  [=====>     ]  42%  1.2 GiB/s  0:13 left`, at most `width` columns.
[[nodiscard]] std::string bar_line(std::string_view operation, const ShownProgress& shown,
                                   Unit unit, ShownProgress::Clock::time_point now,
                                   std::size_t width);

/// One JSON line (CLI contract). Percent is 0..99 while pending, 100 after success.
[[nodiscard]] std::string progress_json(std::string_view operation, const JobStatus& status);

/// Draws while an operation runs. Threads: one.
class ProgressDisplay {
 public:
  ProgressDisplay(std::string_view operation, const OutputOptions& options,
                  Unit unit = Unit::bytes);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();

  /// Draws when the last drawing is old enough.
  void update(const JobStatus& status);
  /// Removes the bar until the next update.
  void pause() { clear(); }
  /// The operation has ended: removes the bar, writes the last JSON line.
  void finish(const JobStatus& status);

 private:
  void draw(const JobStatus& status);
  void clear();

  std::string operation_;
  Unit unit_;
  ProgressStyle style_;
  ShownProgress shown_;
  ShownProgress::Clock::time_point next_;
  bool visible_ = false;
  bool finished_ = false;
};

}  // namespace vdisk::tool
