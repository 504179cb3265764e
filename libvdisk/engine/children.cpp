#include "engine/children.h"

#include <algorithm>
#include <optional>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/file_list.h"
#include "engine/parent_path.h"
#include "engine/real_name.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

using PerhapsChild = std::optional<ChildImage>;

/// A file that is no image, or is not to be opened, is nobody's child. Where the host fails nobody
/// knows: it may be one.
Result<PerhapsChild> no_child_after(Error error) {
  if (is_of_host(error)) return std::unexpected(std::move(error));
  return PerhapsChild();
}

/// A file as a child, when it is a differencing image and not ignored.
Result<PerhapsChild> child_at(FileSystem& file_system, const std::filesystem::path& path,
                              const ChildSearch& search) {
  auto file = file_system.open(path, {});
  if (!file) return no_child_after(std::move(file).error());
  VDISK_ASSIGN(const auto id, (*file)->identity());
  const bool by_link = is_link(path, **file);
  if (std::ranges::count(search.ignored, id) != 0) return PerhapsChild();
  const LayerRequest request{.path = path, .file = *std::move(file)};
  auto layer = open_layer(request, {});
  if (!layer) return no_child_after(std::move(layer).error());
  const ImageInfo info = layer->image->info();
  if (!info.parent) return PerhapsChild();
  return ChildImage{path, id, *info.parent, info.geometry.virtual_size, by_link};
}

std::vector<std::filesystem::path> unique(std::vector<std::filesystem::path> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

Result<std::vector<std::filesystem::path>> files_to_look_at(const FileSystem& file_system,
                                                            const ChildSearch& search) {
  std::vector<std::filesystem::path> paths;
  for (const auto& directory : unique(search.directories)) {
    VDISK_TRY(list_files(file_system, directory, paths));
  }
  for (const auto& root : unique(search.roots)) {
    VDISK_TRY(list_files_below(file_system, root, Unreadable::pass_over, paths));
  }
  return unique(std::move(paths));
}

/// Whether a child of a raw disk is one of these disks' child. Nothing is opened for that, so that
/// every place counts. One that leads nowhere may be anybody's.
Result<bool> may_have_raw_parent(FileSystem& file_system, const ChildImage& child,
                                 const ChildSearch& search) {
  if (!child.link.parent_is_raw || search.raw_parents.empty()) return false;
  VDISK_ASSIGN(const auto absolute, file_system.absolute(child.path));
  OpenOptions anywhere;
  anywhere.parent_roots = {absolute.root_path()};
  anywhere.parent_map = search.parent_map;
  bool leads_elsewhere = false;
  for (const auto& place : parent_candidates(child.link, absolute.parent_path(), anywhere).places) {
    const auto id = file_system.identity(place.root / place.relative);
    if (!id && is_of_host(id.error())) return std::unexpected(id.error());
    if (!id) continue;
    if (std::ranges::count(search.raw_parents, *id) != 0) return true;
    leads_elsewhere = true;
  }
  return !leads_elsewhere;
}

/// A file with several names counts once: to open it twice for writing is to wait for oneself.
void add_once(std::vector<ChildImage>& children, ChildImage child) {
  const auto known = std::ranges::find(children, child.id, &ChildImage::id);
  if (known == children.end()) {
    children.push_back(std::move(child));
  } else if (known->by_link && !child.by_link) {
    *known = std::move(child);
  }
}

}  // namespace

Result<ChildSearch> search_for_children(const Layer& layer, const OpenOptions& options) {
  ChildSearch search{.parents = {},
                     .directories = {},
                     .roots = options.parent_roots,
                     .ignored = {layer.id},
                     .parent_map = options.parent_map};
  if (layer.format->matches_any_content) {
    search.raw_parents.push_back(layer.id);
  } else {
    search.parents.push_back(layer.image->content_id());
  }
  VDISK_TRY(add_directories(search, layer.path, options));
  return search;
}

Status add_directories(ChildSearch& search, const std::filesystem::path& path,
                       const OpenOptions& options) {
  VDISK_ASSIGN(const auto place, real_name(path, options));
  for (const auto& name : {path, place}) {
    VDISK_ASSIGN(const auto absolute, file_system_of(options)->absolute(name));
    search.directories.push_back(absolute.parent_path());
  }
  return {};
}

Result<std::vector<std::filesystem::path>> children_of(const std::filesystem::path& path,
                                                       const OpenOptions& options) try {
  OpenOptions open = options;
  open.access = Access::read_only;
  open.parents = ParentPolicy::none;
  open.lock = false;  // the caller may be its writer
  VDISK_ASSIGN(const auto chain, open_chain(path, open));
  VDISK_ASSIGN(const auto search, search_for_children(chain.layers.front(), options));
  return find_children(*file_system_of(options), search);
} catch (...) {
  return error_of_exception();
}

Result<std::vector<ChildImage>> find_child_images(FileSystem& file_system,
                                                  const ChildSearch& search) {
  std::vector<ChildImage> children;
  if (search.parents.empty() && search.raw_parents.empty()) return children;
  VDISK_ASSIGN(const auto paths, files_to_look_at(file_system, search));
  for (const auto& path : paths) {
    VDISK_ASSIGN(auto child, child_at(file_system, path, search));
    if (!child) continue;
    VDISK_ASSIGN(const bool of_raw, may_have_raw_parent(file_system, *child, search));
    if (of_raw || accepts_any(child->link, search.parents)) {
      add_once(children, *std::move(child));
    }
  }
  return children;
}

Result<std::vector<std::filesystem::path>> find_children(FileSystem& file_system,
                                                         const ChildSearch& search) {
  VDISK_ASSIGN(const auto images, find_child_images(file_system, search));
  std::vector<std::filesystem::path> paths;
  paths.reserve(images.size());
  for (const ChildImage& image : images) paths.push_back(image.path);
  return paths;
}

}  // namespace vdisk
