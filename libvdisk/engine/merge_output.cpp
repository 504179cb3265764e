/// merge into a new image: what would stand in the target goes into a new file instead. Nothing of
/// the chain changes before the new image has its name.
#include <fmt/format.h>

#include "base/try.h"
#include "engine/copy.h"
#include "engine/merge.h"
#include "engine/move_layers.h"
#include "engine/new_image.h"

namespace vdisk {

namespace {

class MergeIntoNew {
 public:
  MergeIntoNew(const MergePlan& plan, const MergeOptions& options, Progress& progress)
      : plan_(plan),
        options_(options),
        progress_(progress),
        file_system_(file_system_of(options.open)) {}

  Result<Merged> run() {
    if (options_.delete_children) VDISK_TRY(settle_dependents());
    VDISK_TRY(open_chain_again());
    VDISK_ASSIGN(const auto target, plan_new_image());
    VDISK_TRY(check_target(*file_system_, target, &*chain_));
    VDISK_TRY(check_replaced(target));
    progress_.phase("merge");
    progress_.expect(plan_.leaf().size);
    BuildSteps steps;
    steps.fill = [this](Disk& disk) { return fill(disk); };
    VDISK_ASSIGN(const auto created, build_image(file_system_, target, steps, progress_));
    return finish(created);
  }

 private:
  [[nodiscard]] bool has_parent() const { return plan_.target + 1 < plan_.layers.size(); }

  /// All merged layers will go: only the leaf's own children can be saved.
  Status settle_dependents() {
    VDISK_ASSIGN(const auto dependents, find_dependents(plan_, options_, *file_system_));
    if (!dependents.of_others.empty() && !options_.force_siblings) {
      return refuse_dependents(plan_, dependents.of_others);
    }
    return leaf_children_.open(plan_, dependents.of_leaf, options_);
  }

  Status open_chain_again() {
    Chain all;
    for (const PlannedLayer& planned : plan_.layers) {
      VDISK_ASSIGN(auto layer, open_planned(planned, Access::read_only, options_));
      all.layers.push_back(std::move(layer));
    }
    chain_.emplace(DiskAccess::make(std::move(all), Access::read_only, file_system_));
    return {};
  }

  /// An earlier run may have linked children to what stands there now.
  Status check_replaced(const TargetPlan& target) {
    if (!target.replace || !file_system_->identity(target.path)) return {};
    const auto children = children_of(target.path, options_.open);
    if (!children && is_of_host(children.error())) return std::unexpected(children.error());
    if (!children || children->empty() || options_.force_siblings) return {};  // no image has none
    return fail(Errc::has_children,
                fmt::format("{}: is the parent of {}, expected no children of what is replaced",
                            target.path.string(), children->front().string()));
  }

  Result<TargetPlan> plan_new_image() {
    TargetContext surroundings{.size = plan_.leaf().size};
    if (has_parent()) {
      const Layer& parent = DiskAccess::core(*chain_).layers[plan_.target + 1];
      VDISK_ASSIGN(surroundings.parent,
                   describe_parent(parent, options_.output->path, *file_system_));
    }
    return plan_target(*options_.output, surroundings);
  }

  Status fill(Disk& disk) {
    if (!has_parent()) {
      VDISK_ASSIGN(const auto counts, copy_content(*chain_, disk, {}, progress_));
      merged_bytes_ = counts.written_bytes;
      return {};
    }
    // What none of these layers says is the parent's to say, of the new image as of the old.
    DiskAccess::core(disk).complete = false;
    auto& core = DiskAccess::core(*chain_);
    core.layers.erase(core.layers.begin() + static_cast<std::ptrdiff_t>(plan_.target) + 1,
                      core.layers.end());
    core.complete = false;
    VDISK_ASSIGN(merged_bytes_, move_layers(*chain_, disk, plan_.leaf().size, progress_));
    return {};
  }

  Result<Merged> finish(const CreatedDisk& created) {
    Merged merged{.merged_bytes = merged_bytes_, .into = created.path};
    chain_.reset();
    if (!options_.delete_children) return merged;
    VDISK_TRY(link_leaf_children(created, merged));
    VDISK_TRY(remove_layers(plan_, options_, *file_system_, merged));
    return merged;
  }

  Status link_leaf_children(const CreatedDisk& created, Merged& merged) {
    OpenOptions open;
    open.file_system = file_system_;
    open.format = created.format;
    VDISK_ASSIGN(const auto layer, open_alone(created.path, open));
    VDISK_ASSIGN(const auto target, link_target(layer));
    VDISK_ASSIGN(merged.relinked_files, leaf_children_.link_to(target, *file_system_));
    return {};
  }

  const MergePlan& plan_;
  const MergeOptions& options_;
  Progress& progress_;
  std::shared_ptr<FileSystem> file_system_;
  std::optional<Disk> chain_;  ///< all layers
  LeafChildren leaf_children_;
  u64 merged_bytes_ = 0;
};

}  // namespace

Result<Merged> merge_into_new(const MergePlan& plan, const MergeOptions& options,
                              Progress& progress) {
  return MergeIntoNew(plan, options, progress).run();
}

}  // namespace vdisk
