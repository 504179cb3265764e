/// Who depends on an image: other images that name it as their parent.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/disk_core.h"

namespace vdisk {

struct ChildSearch {
  std::vector<Guid> parents;  ///< content ids
  std::vector<std::filesystem::path> directories;
  std::vector<FileId> ignored;  ///< files that may depend on them
};

/// The search for the children of one opened layer, in its directory and in the roots.
Result<ChildSearch> search_for_children(const Layer& layer, const OpenOptions& options);

/// Images in the directories whose parent link accepts one of the ids. Files that cannot be read
/// as images are passed over; nothing is locked or changed.
Result<std::vector<std::filesystem::path>> find_children(FileSystem& file_system,
                                                         const ChildSearch& search);

}  // namespace vdisk
