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
  return result;
}

Result<JobResult> mirror_disk(vdisk_disk& disk, const MirrorOptions& options,
                              const MirrorSwitch& mirror_switch, Progress& progress) {
  const auto created = mirror(disk.disk, options, mirror_switch, progress);
  if (!created) return std::unexpected(created.error());
  return output_of(*created);
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

vdisk_status vdisk_mirror_break(vdisk_job* job) {
  if (job == nullptr) return VDISK_INVALID_ARGUMENT;
  if (!job->mirror) return VDISK_INVALID_HANDLE;
  job->mirror->break_mirror();
  return VDISK_SUCCESS;
}
