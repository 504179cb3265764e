/// Mirrors of open disks.
#include "vdisk/mirror.h"

#include "capi/disk.h"
#include "capi/operation.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

JobResult output_of(const CreatedDisk& created) {
  auto result = of_type(VDISK_OUTPUT_MIRROR);
  std::ranges::copy(created.id.bytes, result.output.value.created.id);
  result.output.value.created.virtual_size = created.virtual_size;
  result.paths.push_back({VDISK_PATH_RESULT, created.path});
  return result;
}

Result<JobResult> mirror_disk(vdisk_disk& disk, const MirrorOptions& options,
                              const MirrorSwitch& mirror_switch, Progress& progress) {
  const auto created = mirror(disk.disk, options, mirror_switch, progress);
  if (!created) return std::unexpected(created.error());
  return output_of(*created);
}

Result<JobResult> follow_image(const FollowOptions& options, const MirrorSwitch& mirror_switch,
                               Progress& progress) {
  const auto created = follow(options, mirror_switch, progress);
  if (!created) return std::unexpected(created.error());
  return output_of(*created);
}

/// At most a day, so that no sum with a point in time overflows.
std::chrono::milliseconds interval_of(uint64_t milliseconds) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24);
  return std::min(longest, std::chrono::milliseconds(std::min<uint64_t>(
                               milliseconds, static_cast<uint64_t>(longest.count()))));
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_mirror_start(vdisk_disk* disk, const vdisk_target* target,
                                const vdisk_open_options* open, vdisk_job** job,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (disk == nullptr) return vdisk::fail(vdisk::Errc::invalid_argument, "disk: missing");
    capi::Inputs inputs;
    vdisk::MirrorOptions options{.target = inputs.keep(capi::target(target))};
    options.file_system = inputs.open(open).file_system;
    if (!inputs.status()) return inputs.status();
    const vdisk::MirrorSwitch mirror_switch;
    const auto run = [disk, options, mirror_switch](vdisk::Progress& progress) {
      return capi::mirror_disk(*disk, options, mirror_switch, progress);
    };
    return capi::start(run, job, mirror_switch);
  });
}

vdisk_status vdisk_follow_start(const char* source, const vdisk_target* target,
                                uint64_t milliseconds, const vdisk_open_options* open,
                                vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::FollowOptions options;
    options.source = inputs.path(source, "source");
    options.target = inputs.keep(capi::target(target));
    options.open = inputs.open(open);
    if (milliseconds != 0) options.interval = capi::interval_of(milliseconds);
    if (!inputs.status()) return inputs.status();
    if (options.open.file_system != nullptr) {
      return vdisk::fail(vdisk::Errc::unsupported, "store: does not tell when a file was changed");
    }
    const vdisk::MirrorSwitch mirror_switch;
    const auto run = [options, mirror_switch](vdisk::Progress& progress) {
      return capi::follow_image(options, mirror_switch, progress);
    };
    return capi::start(run, job, mirror_switch);
  });
}

vdisk_status vdisk_mirror_break(vdisk_job* job) {
  if (job == nullptr) return VDISK_INVALID_ARGUMENT;
  if (!job->mirror) return VDISK_INVALID_HANDLE;
  job->mirror->break_mirror();
  return VDISK_SUCCESS;
}
