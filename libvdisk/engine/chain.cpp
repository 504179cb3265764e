#include "engine/chain.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/parent_path.h"
#include "engine/split_image.h"
#include "formats/neighbours.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

/// How telling a failed attempt is: the most telling one is reported.
int weight(const Error& error) {
  switch (kind(error.code)) {
    case ErrorKind::parent_cycle: return 4;
    case ErrorKind::parent_mismatch: return 2;
    case ErrorKind::parent_policy: return 1;
    case ErrorKind::not_found: return 0;
    default: return 3;
  }
}

/// Remembers why the candidates for a parent were not taken.
class Attempts {
 public:
  void add(const std::string& tried, Error error) {
    // What no directory of the host can hold leads nowhere that a policy would allow.
    if (error.code == Errc::bad_path) error.code = Errc::parent_access_denied;
    tried_ += fmt::format("{}'{}' ({})", tried_.empty() ? "" : ", ", tried, reason(tried, error));
    if (!worst_ || weight(error) > weight(*worst_)) worst_ = std::move(error);
  }

  [[nodiscard]] Error conclude(const fs::path& child, const ParentLink& link) const {
    if (!worst_) {
      return {Errc::corrupt,
              fmt::format("{}: parent link at {:#x}: no usable path, expected one", child.string(),
                          link.file_offset),
              0, link.file_offset};
    }
    const auto group = kind(worst_->code);
    const bool about_path = group == ErrorKind::not_found || group == ErrorKind::parent_policy;
    const bool about_parent = about_path || group == ErrorKind::parent_mismatch;
    const Errc code = group == ErrorKind::not_found ? Errc::parent_not_found : worst_->code;
    if (!about_parent) return {code, worst_->message, worst_->os_error, worst_->offset};
    return {code, fmt::format("{}: parent: {}; tried {}", child.string(), describe(code), tried_),
            worst_->os_error};
  }

 private:
  /// What the error says beyond the path, else what its code means.
  static std::string reason(const std::string& tried, const Error& error) {
    const std::string prefix = tried + ": ";
    if (error.message.starts_with(prefix)) return error.message.substr(prefix.size());
    return std::string(describe(error.code));
  }

  std::string tried_;
  std::optional<Error> worst_;
};

Status check_identity(const Layer& parent, const ParentLink& link) {
  if (link.parent_is_raw) return {};  // the caller has named it
  const Guid found = parent.image->content_id();
  if (accepts_any(link, {found})) return {};
  std::string expected;
  for (const Guid& id : link.accepted_ids)
    expected += (expected.empty() ? "" : " or ") + to_string(id);
  return std::unexpected(at_path(
      parent.path, {Errc::parent_mismatch,
                    fmt::format("content id: {}, expected {}", to_string(found), expected)}));
}

void warn_about_time(Layer& child, const File& parent, const ParentLink& link) {
  const auto modified = parent.modified_time();
  if (!modified || !link.parent_modified_time || *modified == *link.parent_modified_time) return;
  child.warnings.push_back({"V36", "the parent's modification time differs from the stored one"});
}

ReadLog parent_log_policy(ReadLog leaf_policy) {
  const bool kept = leaf_policy == ReadLog::require_clean || leaf_policy == ReadLog::ignore;
  return kept ? leaf_policy : ReadLog::memory;
}

/// What other files beside an image say about it.
void look_around(Layer& layer, const FileSystem& file_system) {
  if (const auto guarded = describe_guarded_file(layer.path.extension().string())) {
    layer.neighbours.push_back({"foreign-file", fmt::format("named like {}", *guarded)});
  }
  for (const Neighbour& neighbour : neighbours()) {
    fs::path beside = layer.path;
    beside += neighbour.extension;
    if (!file_system.identity(beside)) continue;
    layer.neighbours.push_back({std::string(neighbour.id), std::string(neighbour.message)});
  }
}

class ChainOpener {
 public:
  explicit ChainOpener(const OpenOptions& options)
      : options_(options), file_system_(file_system_of(options)) {}

  Result<Chain> open(const fs::path& path) {
    VDISK_ASSIGN(auto file, open_leaf_file(*file_system_, path, options_));
    VDISK_TRY(refuse_part(*file_system_, path));
    if (options_.access == Access::read_write) VDISK_TRY(refuse_guarded(path));
    const LayerRequest request{.path = path,
                               .file = std::move(file),
                               .access = options_.access,
                               .read_log = options_.read_log,
                               .format = options_.format};
    VDISK_ASSIGN(auto leaf, open_layer(request, options_));
    look_around(leaf, *file_system_);
    return go_on_from(std::move(leaf));
  }

  Result<Chain> go_on_from(Layer leaf) {
    VDISK_ASSIGN(const auto absolute, file_system_->absolute(leaf.path));
    chain_.layers.push_back(std::move(leaf));
    directories_.push_back(absolute.parent_path());
    options_.parent_roots.push_back(directories_.back());
    if (auto opened = open_parents(); !opened) chain_.broken = std::move(opened).error();
    return std::move(chain_);
  }

 private:
  Status open_parents() {
    while (auto link = chain_.layers.back().image->info().parent) {
      if (options_.parents == ParentPolicy::none && !named_parent()) {
        chain_.complete = false;
        return {};
      }
      if (chain_.layers.size() >= max_chain_depth) {
        return fail(Errc::chain_too_deep,
                    fmt::format("{}: chain: more than {} layers, expected at most that many",
                                chain_.layers.front().path.string(), max_chain_depth));
      }
      VDISK_TRY(open_parent(*link));
    }
    return {};
  }

  /// The parent that the caller named; for the leaf only.
  [[nodiscard]] const fs::path* named_parent() const {
    return options_.parent && chain_.layers.size() == 1 ? &*options_.parent : nullptr;
  }

  Status open_parent(const ParentLink& link) {
    if (const fs::path* named = named_parent()) {
      VDISK_ASSIGN(auto file, file_system_->open(*named, file_options()));
      VDISK_ASSIGN(const auto absolute, file_system_->absolute(*named));
      return add(*named, absolute.parent_path(), std::move(file), link);
    }
    if (link.parent_is_raw) return refuse_raw_parent();
    Attempts attempts;
    auto candidates = parent_candidates(link, directories_.back(), options_);
    for (const std::string& stated : candidates.refused) {
      attempts.add(stated, {Errc::parent_access_denied, {}});
    }
    for (const ParentCandidate& place : candidates.places) {
      auto added = try_place(place, link);
      if (added) return {};
      attempts.add((place.root / place.relative).string(), std::move(added).error());
    }
    return std::unexpected(attempts.conclude(chain_.layers.back().path, link));
  }

  [[nodiscard]] Status refuse_raw_parent() const {
    return fail(Errc::parent_access_denied,
                fmt::format("{}: parent: a raw disk, which has no identity to check; expected the "
                            "caller to name it",
                            chain_.layers.back().path.string()));
  }

  Status try_place(const ParentCandidate& place, const ParentLink& link) {
    VDISK_ASSIGN(auto file, file_system_->open_beneath(place.root, place.relative, file_options()));
    const fs::path path = (place.root / place.relative).lexically_normal();
    return add(path, path.parent_path(), std::move(file), link);
  }

  Status add(const fs::path& path, const fs::path& directory, std::shared_ptr<File> file,
             const ParentLink& link) {
    VDISK_ASSIGN(const auto id, file->identity());
    const auto same = [&](const Layer& layer) { return layer.id == id; };
    if (std::any_of(chain_.layers.begin(), chain_.layers.end(), same)) {
      return fail(Errc::parent_cycle,
                  fmt::format("{}: parent: the file is part of the chain already, expected another",
                              path.string()));
    }
    VDISK_TRY(refuse_part(*file_system_, path));
    LayerRequest request{.path = path,
                         .file = std::move(file),
                         .access = Access::read_only,
                         .read_log = parent_log_policy(options_.read_log)};
    if (link.parent_is_raw) request.format = "raw";
    VDISK_ASSIGN(auto parent, open_layer(request, options_));
    VDISK_TRY(check_identity(parent, link));
    Layer& child = chain_.layers.back();
    VDISK_TRY(check_parent_shape(parent, child, named_parent() != nullptr));
    look_around(parent, *file_system_);
    warn_about_time(child, *parent.file, link);
    chain_.layers.push_back(std::move(parent));
    directories_.push_back(directory);
    return {};
  }

  [[nodiscard]] FileOptions file_options() const {
    return {.access = Access::read_only, .lock = options_.lock ? Lock::shared : Lock::none};
  }

  OpenOptions options_;  ///< the leaf's directory is added to the roots
  std::shared_ptr<FileSystem> file_system_;
  Chain chain_;
  std::vector<fs::path> directories_;  ///< absolute, one for each layer
};

}  // namespace

bool accepts_any(const ParentLink& link, const std::vector<Guid>& parents) {
  return std::ranges::any_of(link.accepted_ids, [&](const Guid& id) {
    return !id.is_zero() && std::ranges::find(parents, id) != parents.end();
  });
}

Status check_parent_shape(const Layer& parent, const Layer& child, bool named_by_caller) {
  const Geometry above = child.image->geometry();
  const Geometry below = parent.image->geometry();
  if (above.logical_sector_size != below.logical_sector_size) {
    return std::unexpected(at_path(
        parent.path, {Errc::parent_mismatch,
                      fmt::format("logical sector size: {} bytes, expected {} bytes as the child",
                                  below.logical_sector_size, above.logical_sector_size)}));
  }
  const auto link = child.image->info().parent;
  const bool allowed = named_by_caller || (link && link->larger_parent_allowed);
  if (!allowed && below.virtual_size > above.virtual_size) {
    return std::unexpected(at_path(
        parent.path, {Errc::parent_size_mismatch,
                      fmt::format("virtual size: {} bytes, expected at most {} bytes as the child",
                                  below.virtual_size, above.virtual_size)}));
  }
  return {};
}

namespace {

Result<Chain> unless_broken(Result<Chain> chain) {
  if (chain && chain->broken) return std::unexpected(*std::move(chain->broken));
  return chain;
}

}  // namespace

Result<Chain> open_chain(const fs::path& path, const OpenOptions& options) {
  return unless_broken(open_reachable_chain(path, options));
}

Result<Chain> open_parents(Layer leaf, const OpenOptions& options) {
  look_around(leaf, *file_system_of(options));
  return unless_broken(open_reachable_parents(std::move(leaf), options));
}

Result<Chain> open_reachable_chain(const fs::path& path, const OpenOptions& options) {
  return ChainOpener(options).open(path);
}

Result<Chain> open_reachable_parents(Layer leaf, const OpenOptions& options) {
  return ChainOpener(options).go_on_from(std::move(leaf));
}

}  // namespace vdisk
