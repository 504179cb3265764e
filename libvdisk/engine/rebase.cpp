/// rebase: another file becomes the parent of a child, with proof that the child reads the same.
#include <algorithm>

#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/children.h"
#include "engine/compare.h"
#include "engine/content_digest.h"
#include "engine/link.h"
#include "engine/parent_path.h"
#include "vdisk/chains.h"

namespace vdisk {

namespace {

constexpr std::size_t sha256_digits = 64;

class Rebase {
 public:
  Rebase(const RebaseOptions& options, Progress& progress)
      : options_(options), progress_(progress), files_(file_system_of(options.open)) {}

  Result<Rebased> run() {
    VDISK_TRY(look_at_child());
    VDISK_ASSIGN(auto parent, open_new_parent());
    VDISK_TRY(check_parent(parent));
    const Layer& top = DiskAccess::core(parent).layers.front();
    VDISK_ASSIGN(auto target, link_target(top));
    target.windows_path = options_.windows_path;
    VDISK_ASSIGN(auto rebased, describe(target));
    rebased.identity_changed = !accepts_any(*child_.image->info().parent, {target.content_id});
    if (rebased.identity_changed) VDISK_TRY(prove(std::move(parent)));
    VDISK_TRY(progress_.point_of_no_return());
    if (!options_.dry_run) VDISK_TRY(link_to(target));
    return rebased;
  }

 private:
  [[nodiscard]] OpenOptions read_only() const {
    OpenOptions open = options_.open;
    open.access = Access::read_only;
    return open;
  }

  Result<Layer> open_child() { return open_alone(options_.child, read_only()); }

  Status look_at_child() {
    VDISK_ASSIGN(child_, open_child());
    if (child_.image->info().parent) return {};
    return fail(Errc::wrong_disk_kind,
                fmt::format("{}: has no parent, expected a child", options_.child.string()));
  }

  Result<Disk> open_new_parent() {
    OpenOptions open = read_only();
    open.parent.reset();
    open.format.reset();
    return Disk::open(options_.parent, open);
  }

  Status check_parent(const Disk& parent) {
    const auto& core = DiskAccess::core(parent);
    const auto same = [&](const Layer& layer) { return layer.id == child_.id; };
    if (std::ranges::any_of(core.layers, same)) {
      return fail(Errc::parent_cycle,
                  fmt::format("{}: {} is part of its chain already, expected another parent",
                              options_.parent.string(), options_.child.string()));
    }
    if (core.layers.front().format != child_.format) {
      return fail(Errc::parent_mismatch,
                  fmt::format("{}: format {}, expected {} as the child", options_.parent.string(),
                              core.layers.front().format->name, child_.format->name));
    }
    return check_parent_shape(core.layers.front(), child_, false);
  }

  Result<Rebased> describe(const LinkTarget& target) {
    VDISK_ASSIGN(const auto child, files_->absolute(options_.child));
    VDISK_ASSIGN(const auto parent, files_->absolute(options_.parent));
    VDISK_ASSIGN(auto relative_path, windows_relative_path(child.parent_path(), parent));
    return Rebased{.child = options_.child,
                   .parent = options_.parent,
                   .parent_id = target.content_id,
                   .relative_path = std::move(relative_path)};
  }

  /// The child on top of the new parent reads as it did: by comparison, or by its digest.
  Status prove(Disk parent) {
    const Guid found = DiskAccess::core(parent).leaf().content_id();
    if (!options_.force_identity) {
      return fail(
          Errc::parent_mismatch,
          fmt::format("{}: content id: {}, expected {}", options_.parent.string(), to_string(found),
                      to_string(child_.image->info().parent->accepted_ids.front())));
    }
    VDISK_ASSIGN(const Disk after, with_parent(std::move(parent)));
    return options_.digest ? prove_by_digest(after) : prove_by_comparison(after);
  }

  Result<Disk> with_parent(Disk parent) {
    Chain chain;
    chain.complete = parent.complete();
    VDISK_ASSIGN(auto child, open_child());
    chain.layers.push_back(std::move(child));
    for (Layer& layer : DiskAccess::core(parent).layers) chain.layers.push_back(std::move(layer));
    return DiskAccess::make(std::move(chain), Access::read_only, files_);
  }

  Status prove_by_digest(const Disk& after) {
    const bool sha256 = options_.digest->size() == sha256_digits;
    progress_.phase("verify");
    progress_.expect(after.size());
    VDISK_ASSIGN(
        const auto digest,
        digest_content(after, after.size(),
                       sha256 ? DigestAlgorithm::sha256 : DigestAlgorithm::xxh3_128, progress_));
    if (digest.hex == *options_.digest) return {};
    return fail(Errc::parent_mismatch,
                fmt::format("{}: on {} it has digest {}, expected {}", options_.child.string(),
                            options_.parent.string(), digest.hex, *options_.digest));
  }

  Status prove_by_comparison(const Disk& after) {
    auto before = Disk::open(options_.child, read_only());
    if (!before && is_of_host(before.error())) return std::unexpected(std::move(before).error());
    if (!before || !before->complete()) {
      return fail(Errc::parent_mismatch,
                  fmt::format("{}: its present parent cannot be read{}{}; expected that, or the "
                              "digest of its content, as proof that it reads the same on {}",
                              options_.child.string(), before ? "" : ": ",
                              before ? "" : before.error().message, options_.parent.string()));
    }
    progress_.phase("verify");
    progress_.expect(after.size());
    VDISK_ASSIGN(const auto comparison, compare_disks(*before, after, {}, progress_));
    if (comparison.identical) return {};
    return fail(Errc::parent_mismatch,
                fmt::format("{}: on {} it reads differently at guest offset {:#x}, expected the "
                            "same content",
                            options_.child.string(), options_.parent.string(),
                            comparison.first_difference.value_or(0)));
  }

  Status link_to(const LinkTarget& target) {
    const FileId id = child_.id;
    const Guid content = child_.image->content_id();
    child_ = {};  // and its lock
    VDISK_ASSIGN(auto child, open_child_for_linking(options_.child, options_.open));
    if (child.id == id && child.image->content_id() == content) {
      return link_child(child, target, *files_);
    }
    return fail(Errc::parent_mismatch,
                fmt::format("{}: changed while the link was prepared", options_.child.string()));
  }

  const RebaseOptions& options_;
  Progress& progress_;
  std::shared_ptr<FileSystem> files_;
  Layer child_;
};

}  // namespace

Result<Rebased> rebase(const RebaseOptions& options, Progress& progress) try {
  return Rebase(options, progress).run();
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
