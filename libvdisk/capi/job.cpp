/// Many threads may wait, with times of their own; the output is then taken once and kept.
#include "capi/job.h"

#include <algorithm>
#include <chrono>

#include "capi/sized.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

using std::chrono::milliseconds;

/// Far enough, and no overflow when it is counted in nanoseconds.
constexpr milliseconds longest_wait = std::chrono::hours(24 * 365 * 100);

/// Takes the result when there is one: not while the operation runs. Never changed after that.
bool has_ended(const vdisk_job& job) {
  const std::scoped_lock lock(job.mutex);
  if (!job.ended && job.job.status().operation_status != Errc::pending) {
    // Between the final status and the release of those who wait lie a few instructions.
    job.ended = const_cast<vdisk_job&>(job).job.wait_for(longest_wait);
  }
  return job.ended.has_value();
}

Status wait_for_end(vdisk_job* job, milliseconds timeout) {
  if (job == nullptr) return fail(Errc::invalid_argument, "job: missing");
  if (!job->job.ended_within(timeout)) {
    return fail(Errc::timed_out, "the operation has not ended in time");
  }
  if (!has_ended(*job)) return fail(Errc::internal, "a job ended without a result");
  if (!*job->ended) return std::unexpected(job->ended->error());
  return {};
}

milliseconds timeout_of(uint64_t wanted) {
  return milliseconds(std::min(wanted, static_cast<uint64_t>(longest_wait.count())));
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
  if (job == nullptr) return {VDISK_INVALID_ARGUMENT, 0, 1};
  const vdisk::JobStatus status = job->job.status();
  return {capi::status_of(status.operation_status), status.current_value, status.completion_value};
}

vdisk_status vdisk_job_query_status(const vdisk_job* job, uint32_t* percent) {
  if (job == nullptr) return VDISK_INVALID_ARGUMENT;
  const vdisk::QueryStatus status = job->job.query_status();
  if (percent != nullptr) *percent = status.percent;
  return capi::status_of(status.code);
}

vdisk_status vdisk_job_wait(vdisk_job* job, vdisk_error** error) {
  return capi::guarded(error, [&] { return capi::wait_for_end(job, capi::longest_wait); });
}

vdisk_status vdisk_job_wait_for(vdisk_job* job, uint64_t wanted, vdisk_error** error) {
  return capi::guarded(error, [&] { return capi::wait_for_end(job, capi::timeout_of(wanted)); });
}

vdisk_status vdisk_job_cancel(vdisk_job* job) {
  return job == nullptr ? VDISK_INVALID_ARGUMENT : capi::status_of(job->job.cancel());
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
