/// image_tree: every image below a directory, and what became of each one's parent.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/children.h"
#include "engine/file_list.h"
#include "engine/parent_path.h"
#include "formats/formats.h"
#include "vdisk/chains.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

bool is_named_like_image(const fs::path& path) {
  const Format* named = find_format_by_extension(path.extension().string());
  return named != nullptr && !named->matches_any_content;
}

class TreeScan {
 public:
  TreeScan(const TreeOptions& options, Progress& progress)
      : options_(options), progress_(progress), files_(file_system_of(options.open)) {}

  Result<ImageTree> run() {
    VDISK_ASSIGN(const auto directory, files_->absolute(options_.directory));
    VDISK_TRY(list(directory.lexically_normal()));
    for (const fs::path& root : options_.open.parent_roots) {
      VDISK_TRY(list_files(*files_, root, names_));
    }
    std::ranges::sort(names_);
    progress_.phase("scan");
    progress_.expect(std::max<u64>(names_.size(), 1));
    for (const fs::path& name : names_) {
      if (auto file = open_file(name)) add(name, std::move(file));
      VDISK_TRY(progress_.advance(1));
    }
    for (std::size_t index = 0; index < tree_.images.size(); ++index) resolve(index);
    for (std::size_t index = 0; index < tree_.images.size(); ++index) mark_cycle(index);
    return std::move(tree_);
  }

 private:
  Status list(const fs::path& directory) {
    if (!options_.recursive) return list_files(*files_, directory, names_);
    return list_files_below(*files_, directory, Unreadable::refuse, names_);
  }

  /// Null when it cannot be opened and its name does not say that it is an image.
  std::shared_ptr<File> open_file(const fs::path& path) {
    auto file = files_->open(path, {});
    if (file) return *std::move(file);
    if (is_named_like_image(path)) {
      TreeImage image{.path = path};
      image.fault = std::move(file).error();
      tree_.images.push_back(std::move(image));
    }
    return nullptr;
  }

  /// The index of an image, new or known; none when the file is no image.
  std::optional<std::size_t> add(const fs::path& path, std::shared_ptr<File> file) {
    const auto id = file->identity();
    if (!id) return std::nullopt;
    if (const auto known = by_file_.find(*id); known != by_file_.end()) return known->second;
    TreeImage image{.path = path};
    image.file_size = file->size().value_or(0);
    const auto layer = open_layer({.path = path, .file = std::move(file)}, options_.open);
    if (!layer) {
      const bool no_image = layer.error().code == Errc::not_image && !is_named_like_image(path);
      if (no_image) return std::nullopt;
      image.fault = layer.error();
    } else if (layer->format->matches_any_content) {
      return std::nullopt;  // a raw disk has no parent, and its children know no id
    } else {
      image.info = layer->image->info();
      image.content_id = layer->image->content_id();
      image.dirty = layer->dirty;
    }
    by_file_.emplace(*id, tree_.images.size());
    tree_.images.push_back(std::move(image));
    return tree_.images.size() - 1;
  }

  void resolve(std::size_t index) {
    const auto link = tree_.images[index].info.parent;
    if (!link) return;
    const fs::path directory = tree_.images[index].path.parent_path();
    const auto places = parent_candidates(*link, directory, options_.open);
    for (const std::string& stated : places.refused) {
      tree_.images[index].tried.emplace_back(stated);
    }
    if (link->parent_is_raw) {
      tree_.images[index].parent_state = ParentState::raw;
      return;
    }
    std::vector<fs::path> others;
    for (const ParentCandidate& place : places.places) {
      const fs::path path = (place.root / place.relative).lexically_normal();
      tree_.images[index].tried.push_back(path);
      const auto found = image_at(place, path);
      if (!found || *found == index) continue;
      if (is_parent(*found, *link)) return settle(index, ParentState::found, *found);
      others.push_back(path);
    }
    if (const auto outside = find_outside(index, *link)) {
      return settle(index, ParentState::outside, *outside);
    }
    resolve_by_identity(index, *link, std::move(others));
  }

  /// The image to which the words lead, if every place were allowed. Nothing is opened for that:
  /// only what stands in the tree anyway is looked at.
  std::optional<std::size_t> find_outside(std::size_t index, const ParentLink& link) const {
    const fs::path& child = tree_.images[index].path;
    OpenOptions anywhere = options_.open;
    anywhere.parent_roots = {child.root_path()};
    for (const auto& place : parent_candidates(link, child.parent_path(), anywhere).places) {
      const auto found = listed_at((place.root / place.relative).lexically_normal());
      if (found && *found != index && is_parent(*found, link)) return found;
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::size_t> listed_at(const fs::path& path) const {
    if (!std::ranges::binary_search(names_, path)) return std::nullopt;
    const auto id = files_->identity(path);
    const auto known = id ? by_file_.find(*id) : by_file_.end();
    if (known == by_file_.end()) return std::nullopt;
    return known->second;
  }

  std::optional<std::size_t> image_at(const ParentCandidate& place, const fs::path& path) {
    auto file = files_->open_beneath(place.root, place.relative, {});
    if (!file) return std::nullopt;
    return add(path, *std::move(file));
  }

  [[nodiscard]] bool is_parent(std::size_t index, const ParentLink& link) const {
    const TreeImage& image = tree_.images[index];
    return !image.fault && accepts_any(link, {image.content_id});
  }

  void resolve_by_identity(std::size_t index, const ParentLink& link,
                           std::vector<fs::path> others) {
    std::vector<std::size_t> same;
    for (std::size_t other = 0; other < tree_.images.size(); ++other) {
      if (other != index && is_parent(other, link)) same.push_back(other);
    }
    if (same.size() == 1) return settle(index, ParentState::moved, same.front());
    TreeImage& image = tree_.images[index];
    image.parent_state = !same.empty()     ? ParentState::ambiguous
                         : !others.empty() ? ParentState::different
                                           : ParentState::missing;
    image.candidates = std::move(others);
    if (same.empty()) return;
    image.candidates.clear();
    for (const std::size_t other : same) image.candidates.push_back(tree_.images[other].path);
  }

  void settle(std::size_t index, ParentState state, std::size_t parent) {
    tree_.images[index].parent_state = state;
    tree_.images[index].parent = parent;
  }

  void mark_cycle(std::size_t index) {
    std::optional<std::size_t> above = tree_.images[index].parent;
    for (std::size_t steps = 0; above && steps < tree_.images.size(); ++steps) {
      if (*above == index) {
        tree_.images[index].parent_state = ParentState::cyclic;
        return;
      }
      above = tree_.images[*above].parent;
    }
  }

  const TreeOptions& options_;
  Progress& progress_;
  std::shared_ptr<FileSystem> files_;
  std::vector<fs::path> names_;
  std::map<FileId, std::size_t> by_file_;
  ImageTree tree_;
};

}  // namespace

Result<ImageTree> image_tree(const TreeOptions& options, Progress& progress) try {
  return TreeScan(options, progress).run();
} catch (...) {
  return error_of_exception();
}

std::string_view name(ParentState state) noexcept {
  switch (state) {
    case ParentState::none: return "none";
    case ParentState::found: return "found";
    case ParentState::outside: return "outside";
    case ParentState::moved: return "moved";
    case ParentState::ambiguous: return "ambiguous";
    case ParentState::raw: return "raw";
    case ParentState::different: return "different";
    case ParentState::missing: return "missing";
    case ParentState::cyclic: break;
  }
  return "cyclic";
}

}  // namespace vdisk
