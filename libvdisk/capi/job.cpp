/// Waiting is done on the descriptor of the job, so that many threads may wait with times of
/// their own; the output is then taken once and kept.
#include "capi/job.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>

#include <poll.h>

#include "capi/sized.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Waits until the job has ended or the time is over; whether it has ended.
Result<bool> wait_until(vdisk_job& job, Clock::time_point deadline) {
  auto descriptor = job.job.event_fd();
  if (!descriptor) return std::unexpected(std::move(descriptor).error());
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    const auto limit = std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max());
    pollfd waiting{*descriptor, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(limit));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return fail(Errc::io, "waiting for a job failed");
    if (ready == 0 && Clock::now() >= deadline) return false;
  }
}

/// Takes the result when there is one: not while the operation runs. Never changed after that.
bool has_ended(const vdisk_job& job) {
  const std::scoped_lock lock(job.mutex);
  if (!job.ended && job.job.status().operation_status != Errc::pending) {
    job.ended = const_cast<vdisk_job&>(job).job.wait_for(milliseconds(0));
  }
  return job.ended.has_value();
}

Status wait_for_end(vdisk_job* job, Clock::time_point deadline) {
  if (job == nullptr) return fail(Errc::invalid_argument, "job: missing");
  auto ended = wait_until(*job, deadline);
  if (!ended) return std::unexpected(std::move(ended).error());
  if (!*ended) return fail(Errc::timed_out, "the operation has not ended in time");
  if (!has_ended(*job)) return fail(Errc::internal, "a job ended without a result");
  if (!*job->ended) return std::unexpected(job->ended->error());
  return {};
}

/// Far enough, and no overflow when it is added to the present.
constexpr milliseconds longest_wait = std::chrono::hours(24 * 365 * 100);

Clock::time_point deadline_in(uint64_t wanted) {
  const auto limit = static_cast<uint64_t>(longest_wait.count());
  return Clock::now() + milliseconds(std::min(wanted, limit));
}

}  // namespace

Status start(Operation operation, vdisk_job** job, std::optional<MirrorSwitch> mirror_switch) {
  if (job == nullptr) return fail(Errc::invalid_argument, "job: missing");
  auto started = Job<JobResult>::start(std::move(operation));
  if (!started) return std::unexpected(std::move(started).error());
  *job = new vdisk_job{*std::move(started), std::move(mirror_switch)};
  return {};
}

Result<const JobResult*> result_of(const vdisk_job* job) {
  if (job == nullptr) return fail(Errc::invalid_argument, "job: missing");
  if (!has_ended(*job)) return fail(Errc::pending, "the operation has not ended");
  if (!*job->ended) return std::unexpected(job->ended->error());
  return &**job->ended;
}

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_progress vdisk_job_progress(const vdisk_job* job) {
  if (job == nullptr) return {VDISK_INVALID_HANDLE, 0, 1};
  const vdisk::JobStatus status = job->job.status();
  return {capi::status_of(status.operation_status), status.current_value, status.completion_value};
}

vdisk_status vdisk_job_query_status(const vdisk_job* job, uint32_t* percent) {
  if (job == nullptr) return VDISK_INVALID_HANDLE;
  const vdisk::QueryStatus status = job->job.query_status();
  if (percent != nullptr) *percent = status.percent;
  return capi::status_of(status.code);
}

vdisk_status vdisk_job_wait(vdisk_job* job, vdisk_error** error) {
  return capi::guarded(error, [&] {
    return capi::wait_for_end(job, capi::deadline_in(std::numeric_limits<uint64_t>::max()));
  });
}

vdisk_status vdisk_job_wait_for(vdisk_job* job, uint64_t wanted, vdisk_error** error) {
  return capi::guarded(error, [&] { return capi::wait_for_end(job, capi::deadline_in(wanted)); });
}

vdisk_status vdisk_job_cancel(vdisk_job* job) {
  return job == nullptr ? VDISK_INVALID_HANDLE : capi::status_of(job->job.cancel());
}

int vdisk_job_event_fd(vdisk_job* job, vdisk_error** error) {
  int descriptor = -1;
  capi::guarded(error, [&]() -> vdisk::Status {
    if (job == nullptr) return vdisk::fail(vdisk::Errc::invalid_argument, "job: missing");
    auto opened = job->job.event_fd();
    if (!opened) return std::unexpected(std::move(opened).error());
    descriptor = *opened;
    return {};
  });
  return descriptor;
}

vdisk_status vdisk_job_output(const vdisk_job* job, vdisk_output* output) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    return capi::give((*result)->output, output);
  });
}

void vdisk_job_free(vdisk_job* job) {
  delete job;
}
