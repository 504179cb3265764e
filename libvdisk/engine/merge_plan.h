/// What a merge is about: which layers, into which one, and who else depends on them.
#pragma once

#include "engine/children.h"
#include "vdisk/operations.h"

namespace vdisk {

/// A layer as it was when the merge was planned.
struct PlannedLayer {
  std::filesystem::path path;
  std::filesystem::path place;  ///< where the file itself stands, if `path` is a link to it
  FileId id;
  std::string format;
  bool is_raw = false;
  Guid content_id;
  u64 size = 0;
  bool must_cover_parent = false;  ///< its parent may not be larger than it is
};

struct MergePlan {
  std::vector<PlannedLayer> layers;  ///< leaf first
  std::size_t target = 0;            ///< index of the lowest layer whose content is merged

  [[nodiscard]] const PlannedLayer& leaf() const { return layers.front(); }
  [[nodiscard]] const PlannedLayer& lowest() const { return layers[target]; }
};

/// Opens the chain for reading and chooses the target. Errors: those of Disk::open,
/// wrong_disk_kind, invalid_argument, parent_not_found, wrong_state; has_children when a file that
/// loses its parent would stay under another name.
Result<MergePlan> plan_merge(const MergeOptions& options);

/// Images outside the chain that name one of the layers as their parent.
struct Dependents {
  std::vector<ChildImage> of_leaf;    ///< the leaf's view stays, and with it theirs
  std::vector<ChildImage> of_others;  ///< they see a layer whose content or parent changes
};
Result<Dependents> find_dependents(const MergePlan& plan, const MergeOptions& options,
                                   FileSystem& file_system);

/// has_children, with all names.
[[nodiscard]] std::unexpected<Error> refuse_dependents(const MergePlan& plan,
                                                       const std::vector<ChildImage>& images);

/// How many layers, leaf first, are removed at the end.
[[nodiscard]] std::size_t removed_layers(const MergePlan& plan, const MergeOptions& options);

/// Opens one of the layers again, as it was planned. Errors: parent_mismatch when it has changed.
Result<Layer> open_planned(const PlannedLayer& planned, Access access, const MergeOptions& options);

}  // namespace vdisk
