/// Job<Output>: runs one synchronous operation on a thread of its own (docs/jobs.md).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "vdisk/progress.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// A code and a percentage (compare IVdsAsync::QueryStatus): 0..99 while pending, 100 once ended,
/// 0 where it cannot be estimated.
struct QueryStatus {
  Errc code = Errc::pending;
  u32 percent = 0;
};

/// What a progress callback is told. The last call carries the final status.
struct JobEvent {
  JobStatus status;
  std::string phase;
};

namespace detail {

/// The untyped part of a job: thread, snapshot, cancel, waiters. Implemented in libvdisk/job.
class JobCore {
 public:
  static std::shared_ptr<JobCore> create();
  virtual ~JobCore() = default;

  /// Starts the thread; `body` returns the operation's own status. Called once.
  virtual Status start(std::function<Status(Progress&)> body) = 0;
  virtual JobStatus status() const = 0;
  virtual QueryStatus query_status() const = 0;
  virtual std::string phase() const { return {}; }
  virtual void wait() = 0;
  virtual bool wait_for(std::chrono::nanoseconds timeout) = 0;
  virtual Errc cancel() = 0;
  virtual void on_progress(std::function<void(const JobEvent&)> callback) = 0;
  virtual Result<int> event_fd() = 0;
  /// The error of an ended operation; success otherwise.
  virtual Status result() const = 0;
  /// Joins the thread; after it no resource of the job remains.
  virtual void join() = 0;

  virtual void set_phase(std::string_view phase) = 0;
  virtual void set_expected(u64 completion) = 0;
  virtual Status add(u64 amount) = 0;
  virtual bool is_canceled() const noexcept = 0;
  virtual Status pass_point_of_no_return() = 0;
};

}  // namespace detail

/// Threads: all functions may be called from any thread, wait() && from one.
/// Destroying a running job cancels it and waits for its thread.
template <class Output>
class [[nodiscard]] Job {
 public:
  /// Runs `operation(progress)` on a new thread. Errors: no_memory (no thread to be had).
  static Result<Job> start(std::function<Result<Output>(Progress&)> operation) {
    Job job;
    auto output = job.output_;
    auto started = job.core_->start([output, operation = std::move(operation)](Progress& progress) {
      auto result = operation(progress);
      if (!result) return Status(std::unexpected(std::move(result).error()));
      output->emplace(*std::move(result));
      return Status();
    });
    if (!started) return std::unexpected(std::move(started).error());
    return job;
  }

  Job(Job&&) noexcept = default;
  Job& operator=(Job&& other) noexcept {
    if (this != &other) {
      stop();
      core_ = std::move(other.core_);
      output_ = std::move(other.output_);
    }
    return *this;
  }
  ~Job() { stop(); }

  /// Never blocks.
  [[nodiscard]] JobStatus status() const { return core_->status(); }
  [[nodiscard]] QueryStatus query_status() const { return core_->query_status(); }

  /// What the operation called its present part, or its last one. Never blocks.
  [[nodiscard]] std::string phase() const { return core_->phase(); }

  /// Whether the operation has ended; blocks until then, at most that long. Takes nothing: any
  /// number of threads may wait so, and it needs no descriptor.
  bool ended_within(std::chrono::nanoseconds timeout) { return core_->wait_for(timeout); }
  /// Blocks until the operation has ended; its output or its error.
  Result<Output> wait() && {
    core_->wait();
    return take();
  }
  /// Empty when the time was not enough; the job goes on.
  std::optional<Result<Output>> wait_for(std::chrono::nanoseconds timeout) {
    if (!core_->wait_for(timeout)) return std::nullopt;
    return take();
  }
  /// canceled: it won, the result will be Errc::canceled; already_canceled: an earlier one won;
  /// too_late: the operation ends by itself, or has ended.
  Errc cancel() { return core_->cancel(); }
  /// Called on the job's thread, at most once per millisecond, and once at the end; at once, by
  /// this call, when the job has ended before. Exceptions thrown by the callback are swallowed.
  /// Replaces the former one, which is not running any more when this returns. The callback may
  /// call every function of the job, and may destroy it.
  void on_progress(std::function<void(const JobEvent&)> callback) {
    core_->on_progress(std::move(callback));
  }
  /// A descriptor that becomes readable when the operation has ended; owned by the job.
  Result<int> event_fd() { return core_->event_fd(); }

 private:
  Job() : core_(detail::JobCore::create()), output_(std::make_shared<std::optional<Output>>()) {}
  void stop() {
    if (!core_) return;
    (void)core_->cancel();
    core_->join();
  }
  Result<Output> take() {
    auto result = core_->result();
    if (!result) return std::unexpected(std::move(result).error());
    if (!*output_) return fail(Errc::invalid_handle, "the output was already taken");
    Output output = *std::move(*output_);
    output_->reset();
    return output;
  }

  std::shared_ptr<detail::JobCore> core_;
  std::shared_ptr<std::optional<Output>> output_;
};

}  // namespace vdisk
#pragma GCC visibility pop
