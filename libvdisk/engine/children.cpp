#include "engine/children.h"

#include <algorithm>
#include <optional>

#include "base/exception_error.h"
#include "base/try.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

/// The parent link of a file that is a differencing image and not ignored.
std::optional<ParentLink> link_of(FileSystem& file_system, const std::filesystem::path& path,
                                  const ChildSearch& search) {
  auto file = file_system.open(path, {});
  if (!file) return std::nullopt;
  const auto id = (*file)->identity();
  const auto& ignored = search.ignored;
  if (!id || std::find(ignored.begin(), ignored.end(), *id) != ignored.end()) return std::nullopt;
  const LayerRequest request{.path = path, .file = *std::move(file)};
  const auto layer = open_layer(request, {});
  return layer ? layer->image->info().parent : std::nullopt;
}

bool accepts_any(const ParentLink& link, const std::vector<Guid>& parents) {
  const auto& ids = link.accepted_ids;
  return std::find_first_of(ids.begin(), ids.end(), parents.begin(), parents.end()) != ids.end();
}

std::vector<std::filesystem::path> unique(std::vector<std::filesystem::path> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace

Result<ChildSearch> search_for_children(const Layer& layer, const OpenOptions& options) {
  VDISK_ASSIGN(const auto absolute, file_system_of(options)->absolute(layer.path));
  ChildSearch search{.parents = {}, .directories = options.parent_roots, .ignored = {layer.id}};
  const Guid id = layer.image->content_id();
  if (id != Guid{}) search.parents.push_back(id);  // a raw disk has none, and no children
  search.directories.push_back(absolute.parent_path());
  return search;
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

Result<std::vector<std::filesystem::path>> find_children(FileSystem& file_system,
                                                         const ChildSearch& search) {
  std::vector<std::filesystem::path> children;
  if (search.parents.empty()) return children;
  for (const auto& directory : unique(search.directories)) {
    VDISK_ASSIGN(const auto names, file_system.list(directory));
    for (const auto& name : names) {
      const auto path = name.is_absolute() ? name : directory / name.filename();
      const auto link = link_of(file_system, path, search);
      if (link && accepts_any(*link, search.parents)) children.push_back(path);
    }
  }
  return children;
}

}  // namespace vdisk
