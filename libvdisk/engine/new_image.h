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

/// The same for a copy of `source`, as large as it is unless `size` says more.
Result<TargetPlan> plan_copy(const Target& target, const Disk& source, std::optional<u64> size);

/// What a new child at `child` must say about its parent.
Result<ParentSpec> describe_parent(const Layer& parent, const std::filesystem::path& child,
                                   FileSystem& file_system);

/// Refuses a target that exists (unless it may be replaced) or is one of the files of `source`.
Status check_target(FileSystem& file_system, const TargetPlan& plan, const Disk* source);

/// Puts the guest's content into a new image.
using Fill = std::function<Status(Disk&)>;
/// Looks at a new image, opened anew, before it gets its name.
using Inspect = std::function<Status(const Disk&)>;
struct BuildSteps {
  Fill fill = {};        ///< may be empty
  Inspect inspect = {};  ///< may be empty
};

/// Crash: the name is absent (or the old file) or the complete image.
Result<CreatedDisk> build_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                                const BuildSteps& steps, Progress& progress);

/// The same for a target whose file `write` makes as a whole.
using WriteFile = std::function<Status(std::shared_ptr<File>)>;
Result<CreatedDisk> build_file(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                               const WriteFile& write, Progress& progress);

/// The new image alone as a disk, whatever its name is by now.
Result<Disk> open_new_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                            std::shared_ptr<File> file, Access access);

/// What is known of a new image from its plan.
[[nodiscard]] CreatedDisk describe(const TargetPlan& plan);

}  // namespace vdisk
