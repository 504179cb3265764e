#include "job/thread_job.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "job/signal_mask.h"

namespace vdisk::detail {

namespace {

constexpr auto shortest_interval = std::chrono::milliseconds(1);
/// Longer waits are cut into pieces, so that no point in time overflows the clock.
constexpr std::chrono::nanoseconds longest_piece = std::chrono::hours(1);
constexpr u32 largest_pending_percent = 99;
constexpr u32 ended_percent = 100;

u32 percent_of(const JobStatus& status) {
  constexpr u64 scale = 100;
  const u64 current = status.current_value;
  const u64 completion = status.completion_value;
  const u64 percent =
      completion >= scale * scale ? current / (completion / scale) : current * scale / completion;
  return static_cast<u32>(std::min<u64>(percent, largest_pending_percent));
}

/// An error whose text needs memory; without memory the code alone.
template <class Text>
Status fail_with_text(Errc code, Text text) noexcept {
  try {
    return fail(code, text());
  } catch (...) {
    return fail(code, {});
  }
}

Status run_body(const std::function<Status(Progress&)>& body, Progress& progress) noexcept {
  try {
    return body(progress);
  } catch (...) {
    return error_of_exception();
  }
}

/// What a job that was canceled ends with, whatever the operation made of it.
Status as_canceled(Status result) noexcept {
  if (!result && result.error().code == Errc::canceled) return result;
  if (result) return fail_with_text(Errc::canceled, [] { return "canceled"; });
  return fail_with_text(Errc::canceled,
                        [&result] { return fmt::format("canceled; {}", result.error().message); });
}

bool is_final(Errc code) {
  return code != Errc::success && code != Errc::pending;
}

}  // namespace

std::shared_ptr<JobCore> JobCore::create() {
  return std::make_shared<ThreadJob>();
}

ThreadJob::~ThreadJob() {
  // The thread holds a reference to this object: here it has ended, or is at its last instruction.
  if (thread_.joinable()) thread_.detach();
  close_event();
}

Status ThreadJob::start(std::function<Status(Progress&)> body) {
  try {
    const BlockedSignals blocked;  // inherited by the thread: handlers run in the program's threads
    thread_ = std::thread([self = shared_from_this(), body = std::move(body)] { self->run(body); });
  } catch (const std::system_error& error) {
    return fail(Errc::no_memory, fmt::format("no thread for the job: {}", error.what()));
  } catch (const std::bad_alloc&) {
    return fail(Errc::no_memory, "no memory for the job");
  }
  return {};
}

JobStatus ThreadJob::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

QueryStatus ThreadJob::query_status() const {
  const JobStatus now = status();
  const bool pending = now.operation_status == Errc::pending;
  return {now.operation_status, pending ? percent_of(now) : ended_percent};
}

std::string ThreadJob::phase() const {
  const std::lock_guard lock(mutex_);
  return phase_;
}

void ThreadJob::wait() {
  if (on_own_thread()) return;
  std::unique_lock lock(mutex_);
  ended_changed_.wait(lock, [this] { return ended_; });
}

bool ThreadJob::wait_for(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  while (!ended_ && !on_own_thread() && timeout > std::chrono::nanoseconds::zero()) {
    const auto piece = std::min(timeout, longest_piece);
    ended_changed_.wait_for(lock, piece, [this] { return ended_; });
    timeout -= piece;
  }
  return ended_;
}

Errc ThreadJob::cancel() {
  Stage found = Stage::running;
  if (stage_.compare_exchange_strong(found, Stage::canceled)) return Errc::canceled;
  return found == Stage::canceled ? Errc::already_canceled : Errc::too_late;
}

void ThreadJob::on_progress(std::function<void(const JobEvent&)> callback) {
  auto replacement = callback ? std::make_shared<const Callback>(std::move(callback)) : nullptr;
  const std::lock_guard lock(callback_mutex_);
  callback_.swap(replacement);
  if (last_call_done_) call_back();
}

Result<int> ThreadJob::event_fd() {
  const std::lock_guard lock(mutex_);
  if (event_ >= 0) return event_;
  event_ = ::eventfd(ended_ ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_ >= 0) return event_;
  const int error = errno;
  return std::unexpected(Error{Errc::io, "no descriptor for the job's event", error});
}

Status ThreadJob::result() const {
  const std::lock_guard lock(mutex_);
  if (status_.operation_status == Errc::pending) return fail(Errc::pending, "still running");
  return result_;
}

void ThreadJob::join() {
  if (thread_.joinable()) {
    // A callback may destroy its own job: the thread then ends by itself.
    if (on_own_thread()) {
      thread_.detach();
    } else {
      thread_.join();
    }
  }
  const std::lock_guard lock(mutex_);
  close_event();
}

void ThreadJob::set_phase(std::string_view phase) {
  {
    std::string text(phase);
    const std::lock_guard lock(mutex_);
    phase_.swap(text);
  }
  report_progress();
}

void ThreadJob::set_expected(u64 completion) {
  {
    const std::lock_guard lock(mutex_);
    status_.current_value = 0;
    status_.completion_value = std::max<u64>(completion, 1);
  }
  report_progress();
}

Status ThreadJob::add(u64 amount) {
  {
    const std::lock_guard lock(mutex_);
    status_.current_value += std::min(amount, status_.completion_value - status_.current_value);
  }
  report_progress();
  if (is_canceled()) return fail(Errc::canceled, "canceled");
  return {};
}

bool ThreadJob::is_canceled() const noexcept {
  return stage_ == Stage::canceled;
}

Status ThreadJob::pass_point_of_no_return() {
  Stage found = Stage::running;
  if (stage_.compare_exchange_strong(found, Stage::committed)) return {};
  if (found == Stage::canceled) return fail(Errc::canceled, "canceled");
  return {};
}

void ThreadJob::run(const std::function<Status(Progress&)>& body) noexcept {
  runner_ = std::this_thread::get_id();
  Status result;
  {
    Progress progress(shared_from_this());
    result = run_body(body, progress);
  }
  if (!pass_point_of_no_return()) result = as_canceled(std::move(result));
  finish(std::move(result));
  last_call_back();
  release_waiters();
}

void ThreadJob::finish(Status result) noexcept {
  if (!result && !is_final(result.error().code)) result.error().code = Errc::internal;
  const std::lock_guard lock(mutex_);
  result_ = std::move(result);
  if (result_) {
    status_.operation_status = Errc::success;
    status_.current_value = status_.completion_value;
  } else {
    status_.operation_status = result_.error().code;
  }
}

void ThreadJob::release_waiters() noexcept {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (event_ >= 0) (void)::eventfd_write(event_, 1);
  ended_changed_.notify_all();
}

void ThreadJob::report_progress() noexcept {
  if (!on_own_thread()) return;
  if (Clock::now() - last_call_ < shortest_interval) return;
  call_back();
}

void ThreadJob::call_back() noexcept {
  const std::lock_guard calling(callback_mutex_);
  const auto callback = callback_;
  last_call_ = Clock::now();
  if (!callback) return;
  try {
    JobEvent event;
    {
      const std::lock_guard lock(mutex_);
      event = {status_, phase_};
    }
    (*callback)(event);
  } catch (...) {  // NOLINT(bugprone-empty-catch): the caller's affair, the operation goes on
  }
}

void ThreadJob::last_call_back() noexcept {
  const std::lock_guard lock(callback_mutex_);
  call_back();
  last_call_done_ = true;
}

bool ThreadJob::on_own_thread() const noexcept {
  return runner_.load() == std::this_thread::get_id();
}

void ThreadJob::close_event() noexcept {
  if (event_ >= 0) ::close(event_);
  event_ = -1;
}

}  // namespace vdisk::detail
