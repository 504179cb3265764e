/// The parts of merge: into an existing layer, and into a new image.
#pragma once

#include "engine/link.h"
#include "engine/merge_plan.h"

namespace vdisk {

/// The leaf's own children, opened and locked before anything changes, to be linked past the leaf.
class LeafChildren {
 public:
  /// Refuses (has_children) children that are smaller than the merged leaf and may not be, and any
  /// when the target is a raw disk.
  Status open(const MergePlan& plan, const std::vector<ChildImage>& images,
              const MergeOptions& options);
  /// Links all of them to the target, one after the other; each link is durable at once.
  Result<std::vector<std::filesystem::path>> link_to(const LinkTarget& target,
                                                     FileSystem& file_system);

 private:
  std::vector<Layer> children_;
};

/// Into a new image that takes the place of the layers up to the target.
Result<Merged> merge_into_new(const MergePlan& plan, const MergeOptions& options,
                              Progress& progress);

/// Removes merged layers, the leaf first: what remains after an interruption is a valid, shorter
/// chain. Of a link the file behind it is removed. Errors: parent_mismatch when another file has
/// taken the name meanwhile.
Status remove_layers(const MergePlan& plan, const MergeOptions& options, FileSystem& file_system,
                     Merged& merged);

}  // namespace vdisk
