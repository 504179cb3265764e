/// merge: moving what the upper layers of a chain hold into one of their ancestors.
///
/// The leaf's view stays the same at every instant: what is written into the target is exactly what
/// the layers above it cover already. A format whose content id changes with the content has the
/// lowest merged layer accept the new id, durably, before the target gets it.
#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/checksum.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/children.h"
#include "engine/content.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

/// A multiple of every block size, so that blocks that are zero as a whole stay whole.
constexpr u64 zero_piece_size = 256 * mib;

/// A layer as it was when the merge was planned.
struct PlannedLayer {
  fs::path path;
  FileId id;
  std::string format;
  Guid content_id;
  u64 size = 0;
  bool must_cover_parent = false;  ///< its parent may not be larger than it is
};

struct MergePlan {
  std::vector<PlannedLayer> layers;  ///< leaf first
  std::size_t target = 0;            ///< index of the layer that takes everything
};

Result<std::size_t> target_index(const Disk::Core& disk, const MergeOptions& options) {
  const std::size_t depth = disk.layers.size();
  if (depth < 2) {
    return fail(Errc::wrong_disk_kind, fmt::format("{}: has no parent, expected a child to merge",
                                                   options.child.string()));
  }
  if (options.all) return depth - 1;
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

PlannedLayer describe(const Layer& layer) {
  const auto link = layer.image->info().parent;
  return {.path = layer.path,
          .id = layer.id,
          .format = std::string(layer.format->name),
          .content_id = layer.image->content_id(),
          .size = layer.image->geometry().virtual_size,
          .must_cover_parent = link && !link->larger_parent_allowed};
}

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
    plan.layers.push_back(describe(layer));
  }
  return plan;
}

/// Every other child of a layer that changes, or whose parent changes, would become invalid.
Status refuse_siblings(const MergePlan& plan, const MergeOptions& options,
                       FileSystem& file_system) {
  ChildSearch search;
  for (std::size_t index = 0; index < plan.layers.size(); ++index) {
    search.ignored.push_back(plan.layers[index].id);
    if (index > plan.target) continue;
    // The leaf itself reads the same afterwards, if it is still there.
    const bool affects_children = index > 0 || options.delete_children;
    if (affects_children) search.parents.push_back(plan.layers[index].content_id);
    VDISK_ASSIGN(const auto absolute, file_system.absolute(plan.layers[index].path));
    search.directories.push_back(absolute.parent_path());
  }
  for (const fs::path& root : options.open.parent_roots) search.directories.push_back(root);
  VDISK_ASSIGN(const auto siblings, find_children(file_system, search));
  if (siblings.empty()) return {};
  std::string names;
  for (const fs::path& path : siblings) names += (names.empty() ? "" : ", ") + path.string();
  return fail(Errc::has_children, fmt::format("{}: other images depend on it: {}; expected none",
                                              plan.layers[plan.target].path.string(), names));
}

class Merge {
 public:
  Merge(const MergePlan& plan, const MergeOptions& options, Progress& progress)
      : plan_(plan),
        options_(options),
        progress_(progress),
        file_system_(file_system_of(options.open)) {}

  Result<Merged> run() {
    VDISK_TRY(grow_middle_layers());
    VDISK_TRY(open_layers());
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
    VDISK_TRY(settle_links());
    return finish();
  }

 private:
  [[nodiscard]] const PlannedLayer& target_plan() const { return plan_.layers[plan_.target]; }
  [[nodiscard]] u64 leaf_size() const { return plan_.layers.front().size; }

  /// The target may have to grow to the leaf's size: layers between them that must not be smaller
  /// than their parent grow before it, from the top, so that the chain stays valid.
  Status grow_middle_layers() {
    for (std::size_t index = 1; index < plan_.target; ++index) {
      const PlannedLayer& planned = plan_.layers[index];
      if (!planned.must_cover_parent || planned.size >= leaf_size()) continue;
      VDISK_ASSIGN(auto layer, open_planned(planned, Access::read_write));
      auto grown = layer.image->expand(leaf_size());
      if (grown) grown = layer.image->close();
      if (!grown) return std::unexpected(at_path(planned.path, std::move(grown).error()));
    }
    return {};
  }

  /// The lowest merged layer is opened for writing only if its link must follow the target's id.
  Status open_layers() {
    Chain lower;
    for (std::size_t index = plan_.target; index < plan_.layers.size(); ++index) {
      const auto access = index == plan_.target ? Access::read_write : Access::read_only;
      VDISK_ASSIGN(auto layer, open_planned(plan_.layers[index], access));
      lower.layers.push_back(std::move(layer));
    }
    target_.emplace(DiskAccess::make(std::move(lower), Access::read_write, file_system_));
    Image& target = DiskAccess::core(*target_).leaf();
    id_changes_ = target.next_content_id() != target.content_id();
    Chain upper;
    upper.complete = false;
    for (std::size_t index = 0; index < plan_.target; ++index) {
      const bool linked = id_changes_ && index + 1 == plan_.target;
      const auto access = linked ? Access::read_write : Access::read_only;
      VDISK_ASSIGN(auto layer, open_planned(plan_.layers[index], access));
      upper.layers.push_back(std::move(layer));
    }
    upper_.emplace(DiskAccess::make(std::move(upper), Access::read_only, file_system_));
    return {};
  }

  Result<Layer> open_planned(const PlannedLayer& planned, Access access) {
    OpenOptions open = options_.open;
    open.access = access;
    if (access == Access::read_write) open.read_log = ReadLog::automatic;
    VDISK_ASSIGN(auto file, open_leaf_file(*file_system_, planned.path, open));
    const LayerRequest request{.path = planned.path,
                               .file = std::move(file),
                               .access = access,
                               .read_log = open.read_log,
                               .format = planned.format};
    VDISK_ASSIGN(auto layer, open_layer(request, open));
    if (layer.id == planned.id && layer.image->content_id() == planned.content_id) return layer;
    return fail(Errc::parent_mismatch,
                fmt::format("{}: changed while the merge was prepared", planned.path.string()));
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
    const auto& upper = DiskAccess::core(*upper_);
    for (u64 offset = 0; offset < leaf_size();) {
      VDISK_ASSIGN(const auto extent,
                   upper.resolve(offset, leaf_size() - offset, upper.layers.size()));
      VDISK_TRY(move_extent(extent));
      offset += extent.length;
    }
    return {};
  }

  Status move_extent(const MappedExtent& extent) {
    if (extent.state == State::data) return move_data(extent);
    if (extent.state == State::zero) return move_zeros(extent);
    return progress_.advance(extent.length);
  }

  /// In pieces, as a target that cannot map zeros has to write them.
  Status move_zeros(const MappedExtent& extent) {
    const u64 end = extent.offset + extent.length;
    for (u64 offset = extent.offset; offset < end;) {
      const u64 length = std::min(end - offset, zero_piece_size - offset % zero_piece_size);
      VDISK_TRY(target_->zero(offset, length));
      offset += length;
      merged_bytes_ += length;
      VDISK_TRY(progress_.advance(length));
    }
    return {};
  }

  Status move_data(const MappedExtent& extent) {
    const u64 end = extent.offset + extent.length;
    for (u64 offset = extent.offset; offset < end;) {
      const u64 length = std::min(end - offset, piece_size - offset % piece_size);
      const auto piece = std::span(buffer_).first(static_cast<std::size_t>(length));
      VDISK_TRY(upper_->read(offset, piece));
      VDISK_TRY(is_zero(piece) ? target_->zero(offset, length) : target_->write(offset, piece));
      offset += length;
      merged_bytes_ += length;
      VDISK_TRY(progress_.advance(length));
    }
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
    // The leaf first: what remains after an interruption is a valid, shorter chain.
    for (std::size_t index = 0; index < plan_.target; ++index) {
      VDISK_TRY(file_system_->remove(plan_.layers[index].path));
      merged.removed_files.push_back(plan_.layers[index].path);
    }
    return merged;
  }

  const MergePlan& plan_;
  const MergeOptions& options_;
  Progress& progress_;
  std::shared_ptr<FileSystem> file_system_;
  std::optional<Disk> upper_;   ///< the layers above the target, without their parents
  std::optional<Disk> target_;  ///< the target and its own parents
  bool id_changes_ = false;
  u64 merged_bytes_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(piece_size);
};

}  // namespace

Result<Merged> merge(const MergeOptions& options, Progress& progress) try {
  VDISK_ASSIGN(const auto plan, plan_merge(options));
  if (!options.force_siblings) {
    VDISK_TRY(refuse_siblings(plan, options, *file_system_of(options.open)));
  }
  return Merge(plan, options, progress).run();
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
