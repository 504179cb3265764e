/// merge: moving what the upper layers of a chain hold into one of their ancestors.
///
/// The leaf's view stays the same at every instant: what is written into the target is exactly what
/// the layers above it cover already, and in the end the target has the leaf's size. A format whose
/// content id changes with the content has the lowest merged layer accept the new id, durably,
/// before the target gets it.
#include "engine/merge.h"

#include <optional>

#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/move_layers.h"

namespace vdisk {

namespace {

class Merge {
 public:
  Merge(const MergePlan& plan, const MergeOptions& options, Progress& progress)
      : plan_(plan),
        options_(options),
        progress_(progress),
        file_system_(file_system_of(options.open)) {}

  Result<Merged> run() {
    VDISK_ASSIGN(const auto dependents, find_dependents(plan_, options_, *file_system_));
    if (!dependents.of_others.empty() && !options_.force_siblings) {
      VDISK_TRY(expect_nothing_to_do(dependents.of_others));
    }
    if (options_.delete_children) {
      VDISK_TRY(leaf_children_.open(plan_, dependents.of_leaf, options_));
    }
    if (!nothing_to_do_) VDISK_TRY(merge_content());
    return finish();
  }

 private:
  [[nodiscard]] const PlannedLayer& target_plan() const { return plan_.lowest(); }
  [[nodiscard]] u64 leaf_size() const { return plan_.leaf().size; }

  /// Other children of layers that would change: they are safe only if nothing would. So it is when
  /// a merge was interrupted while it linked the leaf's own children to the target.
  Status expect_nothing_to_do(const std::vector<ChildImage>& dependents) {
    VDISK_TRY(open_layers(Access::read_only));
    progress_.phase("compare");
    progress_.expect(leaf_size());
    VDISK_ASSIGN(nothing_to_do_, is_moved(*upper_, *target_, leaf_size(), progress_));
    upper_.reset();
    target_.reset();
    if (nothing_to_do_ && options_.delete_children) return {};
    return refuse_dependents(plan_, dependents);
  }

  Status merge_content() {
    VDISK_TRY(grow_middle_layers());
    VDISK_TRY(open_layers(Access::read_write));
    VDISK_TRY(check_target());
    VDISK_TRY(announce_new_id());
    auto moved = move_content();
    // Whether it was canceled or not: what has arrived stays, and the images are left clean.
    auto closed = DiskAccess::core(*target_).close();
    if (moved && closed) moved = progress_.point_of_no_return();
    if (!moved || !closed) {
      if (id_changes_) (void)linked_image().close();  // the first error is the telling one
      return std::unexpected(!moved ? std::move(moved).error() : std::move(closed).error());
    }
    return settle_links();
  }

  /// The target may have to grow to the leaf's size: layers between them that must not be smaller
  /// than their parent grow before it, from the top, so that the chain stays valid.
  Status grow_middle_layers() {
    for (std::size_t index = 1; index < plan_.target; ++index) {
      const PlannedLayer& planned = plan_.layers[index];
      if (!planned.must_cover_parent || planned.size >= leaf_size()) continue;
      VDISK_ASSIGN(auto layer, open_again(planned, Access::read_write));
      auto grown = layer.image->expand(leaf_size());
      if (grown) grown = layer.image->close();
      if (!grown) return std::unexpected(at_path(planned.path, std::move(grown).error()));
    }
    return {};
  }

  /// The lowest merged layer is opened for writing only if its link must follow the target's id.
  Status open_layers(Access target_access) {
    Chain lower;
    for (std::size_t index = plan_.target; index < plan_.layers.size(); ++index) {
      const auto access = index == plan_.target ? target_access : Access::read_only;
      VDISK_ASSIGN(auto layer, open_again(plan_.layers[index], access));
      lower.layers.push_back(std::move(layer));
    }
    target_.emplace(DiskAccess::make(std::move(lower), target_access, file_system_));
    Image& target = DiskAccess::core(*target_).leaf();
    const bool changes = target.next_content_id() != target.content_id();
    id_changes_ = target_access == Access::read_write && changes;
    Chain upper;
    upper.complete = false;
    for (std::size_t index = 0; index < plan_.target; ++index) {
      const bool linked = id_changes_ && index + 1 == plan_.target;
      const auto access = linked ? Access::read_write : Access::read_only;
      VDISK_ASSIGN(auto layer, open_again(plan_.layers[index], access));
      upper.layers.push_back(std::move(layer));
    }
    upper_.emplace(DiskAccess::make(std::move(upper), Access::read_only, file_system_));
    return {};
  }

  Result<Layer> open_again(const PlannedLayer& planned, Access access) {
    return open_planned(planned, access, options_);
  }

  /// Growing the target must not bring bytes of its own parent to light.
  Status check_target() {
    const auto& core = DiskAccess::core(*target_);
    const bool grows = core.size() < leaf_size();
    if (!grows || core.sizes.size() < 2 || core.sizes[1] <= core.sizes[0]) return {};
    return fail(Errc::parent_size_mismatch,
                fmt::format("{}: must grow to {} bytes, but its parent is larger than itself",
                            target_plan().path.string(), leaf_size()));
  }

  [[nodiscard]] Image& linked_image() { return *DiskAccess::core(*upper_).layers.back().image; }

  Status announce_new_id() {
    if (!id_changes_) return {};
    Image& target = DiskAccess::core(*target_).leaf();
    const ParentLink link{.accepted_ids = {target.content_id(), target.next_content_id()}};
    return link_to(link);
  }

  Status link_to(const ParentLink& link) {
    const auto& core = DiskAccess::core(*upper_);
    auto linked = linked_image().link_parent(link);
    if (linked) return {};
    return std::unexpected(at_path(core.layers.back().path, std::move(linked).error()));
  }

  Status move_content() {
    auto& target = DiskAccess::core(*target_);
    if (target.size() < leaf_size()) VDISK_TRY(target.expand(leaf_size()));
    progress_.phase("merge");
    progress_.expect(leaf_size());
    VDISK_ASSIGN(merged_bytes_, move_layers(*upper_, *target_, leaf_size(), progress_));
    // What is behind the leaf's end is not to be seen: it must not come back with the leaf gone.
    if (target.size() > leaf_size()) VDISK_TRY(target.shrink(leaf_size()));
    return {};
  }

  /// From here on only the target's present id counts.
  Status settle_links() {
    if (!id_changes_) return {};
    const Guid id = DiskAccess::core(*target_).leaf().content_id();
    VDISK_TRY(link_to({.accepted_ids = {id}}));
    return linked_image().close();
  }

  Result<Merged> finish() {
    Merged merged{.merged_bytes = merged_bytes_, .into = target_plan().path};
    upper_.reset();
    target_.reset();
    if (!options_.delete_children) return merged;
    VDISK_TRY(link_leaf_children(merged));
    VDISK_TRY(remove_layers(plan_, options_, *file_system_, merged));
    return merged;
  }

  /// The target is complete and durable: the leaf's children read the same on top of it.
  Status link_leaf_children(Merged& merged) {
    OpenOptions open = options_.open;
    open.access = Access::read_only;
    open.format = target_plan().format;
    VDISK_ASSIGN(const auto layer, open_alone(target_plan().path, open));
    VDISK_ASSIGN(const auto target, link_target(layer));
    VDISK_ASSIGN(merged.relinked_files, leaf_children_.link_to(target, *file_system_));
    return {};
  }

  const MergePlan& plan_;
  const MergeOptions& options_;
  Progress& progress_;
  std::shared_ptr<FileSystem> file_system_;
  std::optional<Disk> upper_;   ///< the layers above the target, without their parents
  std::optional<Disk> target_;  ///< the target and its own parents
  LeafChildren leaf_children_;
  bool id_changes_ = false;
  bool nothing_to_do_ = false;  ///< the target reads already as it shall
  u64 merged_bytes_ = 0;
};

}  // namespace

Result<Merged> merge(const MergeOptions& options, Progress& progress) try {
  VDISK_ASSIGN(const auto plan, plan_merge(options));
  if (options.output) return merge_into_new(plan, options, progress);
  return Merge(plan, options, progress).run();
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
