/// vdisk_job: a job whose output is a structure of the C interface.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "vdisk.h"
#include "vdisk/job.h"

struct vdisk_job {
  vdisk::Job<vdisk_output> job;
  mutable std::mutex mutex = {};
  /// Taken from the job by whoever first sees that it has ended.
  mutable std::optional<vdisk::Result<vdisk_output>> ended = {};
};

namespace vdisk::capi {

using Operation = std::function<Result<vdisk_output>(Progress&)>;

/// Starts the job and hands it out.
Status start(Operation operation, vdisk_job** job);

}  // namespace vdisk::capi
