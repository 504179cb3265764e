#include "engine/children.h"

#include <algorithm>
#include <optional>

#include "base/try.h"

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

Result<std::vector<std::filesystem::path>> find_children(FileSystem& file_system,
                                                         const ChildSearch& search) {
  std::vector<std::filesystem::path> children;
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
