/// Building a new image beside its final name, and giving it that name when it is complete.
#pragma once

#include <functional>
#include <optional>

#include "engine/disk_core.h"
#include "vdisk/operations.h"
#include "vdisk/progress.h"

namespace vdisk {

/// A target whose format is known and whose spec is complete.
struct TargetPlan {
  std::filesystem::path path;
  const Format* format = nullptr;
  CreateSpec spec;
  bool replace = false;
};

/// What the new image takes over from elsewhere.
struct TargetContext {
  std::optional<u64> size = {};
  std::optional<ParentSpec> parent = {};
};

/// Finds the format, fills in the defaults, refuses what cannot be.
Result<TargetPlan> plan_target(const Target& target, const TargetContext& context);

/// Refuses a target that exists (unless it may be replaced) or is one of the files of `source`.
Status check_target(FileSystem& file_system, const TargetPlan& plan, const Disk* source);

/// Puts the guest's content into a new image.
using Fill = std::function<Status(Disk&)>;

/// Crash: the name is absent (or the old file) or the complete image. `fill` may be empty.
Result<CreatedDisk> build_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                                const Fill& fill, Progress& progress);

}  // namespace vdisk
