/// The leaf's own children: a merged leaf reads as before, and so do they on top of what took its
/// place. Linking them comes after the merge and before the leaf is removed: at every instant each
/// of them has a parent whose view is the leaf's.
#include <fmt/format.h>

#include "base/try.h"
#include "engine/merge.h"

namespace vdisk {

namespace {

/// Behind the leaf's end a child sees zeros: a larger parent must not bring other bytes to light.
bool reads_the_same(const MergePlan& plan, const ChildImage& image, u64 parent_size) {
  const u64 leaf_size = plan.leaf().size;
  if (parent_size > leaf_size && image.size > leaf_size) return false;
  return image.link.larger_parent_allowed || parent_size <= image.size;
}

}  // namespace

Status LeafChildren::open(const MergePlan& plan, const std::vector<ChildImage>& images,
                          u64 parent_size, const MergeOptions& options) {
  std::vector<ChildImage> lost;
  for (const ChildImage& image : images) {
    if (!reads_the_same(plan, image, parent_size)) {
      lost.push_back(image);
      continue;
    }
    VDISK_ASSIGN(auto layer, open_child_for_linking(image.path, options.open));
    children_.push_back(std::move(layer));
  }
  if (lost.empty() || options.force_siblings) return {};
  return refuse_dependents(plan, lost);
}

Result<std::vector<std::filesystem::path>> LeafChildren::link_to(const LinkTarget& target,
                                                                 FileSystem& file_system) {
  std::vector<std::filesystem::path> paths;
  for (Layer& child : children_) {
    VDISK_TRY(link_child(child, target, file_system));
    paths.push_back(child.path);
  }
  children_.clear();  // and with them their locks
  return paths;
}

Status remove_layers(const MergePlan& plan, std::size_t count, FileSystem& file_system,
                     Merged& merged) {
  for (std::size_t index = 0; index < count; ++index) {
    VDISK_TRY(file_system.remove(plan.layers[index].path));
    merged.removed_files.push_back(plan.layers[index].path);
  }
  return {};
}

}  // namespace vdisk
