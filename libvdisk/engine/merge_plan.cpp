#include "engine/merge_plan.h"

#include <fmt/format.h>

#include "base/try.h"
#include "engine/real_name.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

Result<std::size_t> target_index(const Disk::Core& disk, const MergeOptions& options) {
  const std::size_t depth = disk.layers.size();
  if (depth < 2) {
    return fail(Errc::wrong_disk_kind, fmt::format("{}: has no parent, expected a child to merge",
                                                   options.child.string()));
  }
  const bool unsaid = !options.depth && !options.base;
  if (options.all || (options.output && unsaid)) return depth - 1;
  if (!options.base) {
    const u64 wanted = options.depth.value_or(1);
    if (wanted >= 1 && wanted < depth) return static_cast<std::size_t>(wanted);
    return fail(Errc::invalid_argument,
                fmt::format("{}: depth {}, expected 1 to {} as the chain has {} layers",
                            options.child.string(), wanted, depth - 1, depth));
  }
  VDISK_ASSIGN(const FileId base, disk.file_system->identity(*options.base));
  for (std::size_t index = 1; index < depth; ++index) {
    if (disk.layers[index].id == base) return index;
  }
  return fail(Errc::invalid_argument, fmt::format("{}: is not an ancestor of {}",
                                                  options.base->string(), options.child.string()));
}

Result<PlannedLayer> describe(const Layer& layer, const OpenOptions& options) {
  const auto link = layer.image->info().parent;
  VDISK_ASSIGN(auto place, real_name(layer.path, options));
  return PlannedLayer{.path = layer.path,
                      .place = std::move(place),
                      .id = layer.id,
                      .format = std::string(layer.format->name),
                      .is_raw = layer.format->matches_any_content,
                      .content_id = layer.image->content_id(),
                      .size = layer.image->geometry().virtual_size,
                      .must_cover_parent = link && !link->larger_parent_allowed};
}

/// Nothing but the caller's word says that a raw disk is the parent. What speaks against it: a
/// content that is an image, and bytes where the child has none.
Status check_raw_target(const Layer& target, u64 leaf_size) {
  const auto found = choose_format(*target.file, target.path, std::nullopt);
  const bool image =
      found ? !(*found)->matches_any_content : found.error().code == Errc::ambiguous_format;
  if (image) {
    return fail(
        Errc::ambiguous_format,
        fmt::format("{}: the content is that of an image, expected a raw disk to merge into",
                    target.path.string()));
  }
  const u64 size = target.image->geometry().virtual_size;
  if (size <= leaf_size) return {};
  return fail(Errc::parent_size_mismatch,
              fmt::format("{}: the raw disk has {} bytes, expected at most {} bytes as the child",
                          target.path.string(), size, leaf_size));
}

/// A file with a second hard link outlives its removal: it may not lose its parent meanwhile.
Status check_names(const MergePlan& plan, const MergeOptions& options) {
  if (options.force_siblings) return {};
  const std::size_t removed = removed_layers(plan, options);
  for (std::size_t index = 0; index + 1 < removed; ++index) {
    const PlannedLayer& layer = plan.layers[index];
    const u64 names = count_of_names(layer.place, options.open);
    if (names == 1) continue;
    return fail(Errc::has_children,
                fmt::format("{}: {} hard links, expected 1: the image would stay under the other "
                            "name, and its parent {} would be removed",
                            layer.path.string(), names, plan.layers[index + 1].path.string()));
  }
  return {};
}

}  // namespace

Result<MergePlan> plan_merge(const MergeOptions& options) {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto disk, Disk::open(options.child, open));
  const auto& core = DiskAccess::core(disk);
  if (!core.complete) {
    return fail(Errc::parent_not_found,
                fmt::format("{}: parent: not opened, expected its chain", options.child.string()));
  }
  MergePlan plan;
  VDISK_ASSIGN(plan.target, target_index(core, options));
  for (const Layer& layer : core.layers) {
    if (layer.image->info().saved_state) {
      return fail(Errc::wrong_state, fmt::format("{}: belongs to a virtual machine in saved state",
                                                 layer.path.string()));
    }
    VDISK_ASSIGN(plan.layers.emplace_back(), describe(layer, options.open));
  }
  if (plan.lowest().is_raw && !options.output) {
    VDISK_TRY(check_raw_target(core.layers[plan.target], plan.leaf().size));
  }
  VDISK_TRY(check_names(plan, options));
  return plan;
}

std::size_t removed_layers(const MergePlan& plan, const MergeOptions& options) {
  if (!options.delete_children) return 0;
  return options.output ? plan.target + 1 : plan.target;
}

Result<Dependents> find_dependents(const MergePlan& plan, const MergeOptions& options,
                                   FileSystem& file_system) {
  ChildSearch search{.parents = {},
                     .directories = {},
                     .roots = options.open.parent_roots,
                     .ignored = {},
                     .parent_map = options.open.parent_map};
  for (std::size_t index = 0; index < plan.layers.size(); ++index) {
    search.ignored.push_back(plan.layers[index].id);
    if (index > plan.target) continue;
    if (plan.layers[index].is_raw) {
      search.raw_parents.push_back(plan.layers[index].id);
    } else {
      search.parents.push_back(plan.layers[index].content_id);
    }
    VDISK_TRY(add_directories(search, plan.layers[index].path, options.open));
  }
  VDISK_ASSIGN(auto images, find_child_images(file_system, search));
  const std::vector<Guid> others(search.parents.begin() + 1, search.parents.end());
  Dependents dependents;
  for (ChildImage& image : images) {
    const bool of_other = image.link.parent_is_raw || accepts_any(image.link, others);
    auto& list = of_other ? dependents.of_others : dependents.of_leaf;
    list.push_back(std::move(image));
  }
  return dependents;
}

std::unexpected<Error> refuse_dependents(const MergePlan& plan,
                                         const std::vector<ChildImage>& images) {
  std::string names;
  for (const ChildImage& image : images) {
    names += (names.empty() ? "" : ", ") + image.path.string();
  }
  return fail(Errc::has_children, fmt::format("{}: other images depend on it: {}; expected none",
                                              plan.lowest().path.string(), names));
}

Result<Layer> open_planned(const PlannedLayer& planned, Access access,
                           const MergeOptions& options) {
  OpenOptions open = options.open;
  open.access = access;
  if (access == Access::read_write) open.read_log = ReadLog::automatic;
  open.format = planned.format;
  VDISK_ASSIGN(auto layer, open_alone(planned.path, open));
  if (layer.id == planned.id && layer.image->content_id() == planned.content_id) return layer;
  return fail(Errc::parent_mismatch,
              fmt::format("{}: changed while the merge was prepared", planned.path.string()));
}

}  // namespace vdisk
