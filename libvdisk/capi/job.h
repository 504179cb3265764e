/// vdisk_job: a job whose output is a structure of the C interface, and the lists that belong to
/// it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vdisk.h"
#include "vdisk/chains.h"
#include "vdisk/job.h"
#include "vdisk/manifest.h"
#include "vdisk/mirror.h"

namespace vdisk::capi {

/// A vdisk_note with texts of its own.
struct Note {
  uint32_t kind = VDISK_NOTE_FINDING;
  uint32_t severity = VDISK_SEVERITY_INFO;
  u64 offset = 0;
  std::string id;
  std::string message;
  std::string repair = {};
  std::string path = {};
};

struct KnownPath {
  uint32_t kind = VDISK_PATH_RESULT;
  std::filesystem::path path;
};

/// What an operation gave. The lists are read through functions of their own.
struct JobResult {
  vdisk_output output{};
  std::vector<vdisk_range> ranges = {};
  std::vector<KnownPath> paths = {};
  std::vector<Note> notes = {};
  ImageTree tree = {};
  std::shared_ptr<const Manifest> manifest = {};
};

}  // namespace vdisk::capi

struct vdisk_job {
  vdisk::Job<vdisk::capi::JobResult> job;
  /// Of a mirror.
  std::optional<vdisk::MirrorSwitch> mirror = {};
  mutable std::mutex mutex = {};
  /// Taken from the job by whoever first sees that it has ended.
  mutable std::optional<vdisk::Result<vdisk::capi::JobResult>> ended = {};
};

namespace vdisk::capi {

using Operation = std::function<Result<JobResult>(Progress&)>;

/// Starts the job and hands it out.
Status start(Operation operation, vdisk_job** job, std::optional<MirrorSwitch> mirror_switch = {});

/// What the job gave; it lives as long as the job. Errors: pending; that of the operation.
Result<const JobResult*> result_of(const vdisk_job* job);

}  // namespace vdisk::capi
