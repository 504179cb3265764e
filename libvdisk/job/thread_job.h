/// The body of every Job: one thread, one snapshot, one exact decision about cancel.
///
/// Cancel is a race between cancel() and the operation's point of no return (or its end). One
/// atomic, `stage_`, decides it: it leaves `running` once, for good. Whatever the operation
/// returns, a job that was canceled ends as canceled, and one that was not cannot be any more.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "vdisk/job.h"

namespace vdisk::detail {

/// Threads: every function from any thread; start() and join() once each.
class ThreadJob final : public JobCore, public std::enable_shared_from_this<ThreadJob> {
 public:
  ThreadJob() = default;
  ThreadJob(const ThreadJob&) = delete;
  ThreadJob& operator=(const ThreadJob&) = delete;
  ~ThreadJob() override;

  Status start(std::function<Status(Progress&)> body) override;
  JobStatus status() const override;
  QueryStatus query_status() const override;
  std::string phase() const override;
  /// Returns at once on the job's own thread, where waiting could never end.
  void wait() override;
  bool wait_for(std::chrono::nanoseconds timeout) override;
  Errc cancel() override;
  /// When it returns the former callback is not running any more, except around this very call.
  void on_progress(std::function<void(const JobEvent&)> callback) override;
  Result<int> event_fd() override;
  Status result() const override;
  void join() override;

  void set_phase(std::string_view phase) override;
  void set_expected(u64 completion) override;
  Status add(u64 amount) override;
  bool is_canceled() const noexcept override;
  Status pass_point_of_no_return() override;

 private:
  enum class Stage {
    running,    ///< a cancel would win
    canceled,   ///< a cancel has won
    committed,  ///< a cancel comes too late: the point of no return or the end was reached
  };
  using Callback = std::function<void(const JobEvent&)>;
  using Clock = std::chrono::steady_clock;

  void run(const std::function<Status(Progress&)>& body) noexcept;
  void finish(Status result) noexcept;
  void release_waiters() noexcept;
  void report_progress() noexcept;
  void call_back() noexcept;
  void last_call_back() noexcept;
  [[nodiscard]] bool on_own_thread() const noexcept;
  void close_event() noexcept;

  std::atomic<Stage> stage_ = Stage::running;

  /// Held for a few instructions only: nobody waits behind the operation.
  mutable std::mutex mutex_;
  std::condition_variable ended_changed_;
  JobStatus status_;
  std::string phase_;
  Status result_;
  bool ended_ = false;  ///< waiters are released: after the final status and the last callback
  int event_ = -1;

  /// Held while the callback runs, so that replacing it can wait for the end of the former one.
  std::recursive_mutex callback_mutex_;
  std::shared_ptr<const Callback> callback_;
  Clock::time_point last_call_ = {};
  bool last_call_done_ = false;

  std::atomic<std::thread::id> runner_ = {};
  std::thread thread_;
};

}  // namespace vdisk::detail
