/// A Progress whose cancel wins at a chosen step, without threads: cancel at every step by turns.
#pragma once

#include <memory>

#include "vdisk/job.h"

namespace vdisk::test {

/// A step is one call that can learn of a cancel: advance() and point_of_no_return(). Behind the
/// point of no return a cancel comes too late, as with a real job. Threads: one.
class CancelingCore : public detail::JobCore {
 public:
  /// The cancel wins at the step of that index, if it is not too late by then.
  explicit CancelingCore(u64 step) : steps_left_(step) {}

  [[nodiscard]] bool was_canceled() const { return canceled_; }
  [[nodiscard]] u64 steps() const { return steps_; }

  Status start(std::function<Status(Progress&)> body) override;
  JobStatus status() const override { return {}; }
  QueryStatus query_status() const override { return {}; }
  void wait() override {}
  bool wait_for(std::chrono::nanoseconds) override { return true; }
  Errc cancel() override { return Errc::too_late; }
  void on_progress(std::function<void(const JobEvent&)>) override {}
  Result<int> event_fd() override { return fail(Errc::unsupported, "no descriptor"); }
  Status result() const override { return {}; }
  void join() override {}
  void set_phase(std::string_view) override {}
  void set_expected(u64) override {}
  Status add(u64) override { return step(); }
  bool is_canceled() const noexcept override { return canceled_; }
  Status pass_point_of_no_return() override;

 private:
  Status step();

  u64 steps_left_;
  u64 steps_ = 0;
  bool canceled_ = false;
  bool too_late_ = false;
};

/// Runs `operation(Progress&)` again and again, canceled at step 0, 1, 2 ... until it succeeds;
/// `after_cancel()` is called after each canceled run. The number of canceled runs.
template <class Operation, class AfterCancel>
u64 cancel_at_every_step(Operation operation, AfterCancel after_cancel) {
  for (u64 step = 0;; ++step) {
    const auto core = std::make_shared<CancelingCore>(step);
    Progress progress(core);
    const auto result = operation(progress);
    if (result) return step;
    if (result.error().code != Errc::canceled) throw std::runtime_error(result.error().message);
    after_cancel();
  }
}

}  // namespace vdisk::test
