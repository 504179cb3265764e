/// The leaf's own children: a merged leaf reads as before, and so do they on top of what took its
/// place. Linking them comes after the merge and before the leaf is removed: at every instant each
/// of them has a parent whose view is the leaf's.
#include <fmt/format.h>

#include "base/try.h"
#include "engine/merge.h"

namespace vdisk {

Status LeafChildren::open(const MergePlan& plan, const std::vector<ChildImage>& images,
                          const MergeOptions& options) {
  std::vector<ChildImage> lost;
  const auto& result = options.output ? options.output->path : plan.lowest().path;
  const auto file_system = file_system_of(options.open);
  const bool into_raw = !options.output && plan.lowest().is_raw;  // no id to name
  for (const ChildImage& image : images) {
    VDISK_TRY(check_link(image.path, result, *file_system));
    const bool too_small = !image.link.larger_parent_allowed && plan.leaf().size > image.size;
    if (too_small || into_raw) {
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

Status remove_layers(const MergePlan& plan, const MergeOptions& options, FileSystem& file_system,
                     Merged& merged) {
  for (std::size_t index = 0; index < removed_layers(plan, options); ++index) {
    const PlannedLayer& layer = plan.layers[index];
    VDISK_ASSIGN(const FileId id, file_system.identity(layer.place));
    if (id != layer.id) {
      return fail(Errc::parent_mismatch,
                  fmt::format("{}: another file since the merge was prepared, expected the merged "
                              "layer: it is not removed",
                              layer.place.string()));
    }
    VDISK_TRY(file_system.remove(layer.place));
    merged.removed_files.push_back(layer.place);
  }
  return {};
}

}  // namespace vdisk
