/// Who depends on an image: other images that name it as their parent.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/disk_core.h"

namespace vdisk {

struct ChildSearch {
  std::vector<Guid> parents;             ///< content ids
  std::vector<FileId> raw_parents = {};  ///< raw disks: children know them by their path alone
  std::vector<std::filesystem::path> directories;
  std::vector<std::filesystem::path> roots;  ///< directories, and everything below them
  std::vector<FileId> ignored;               ///< files that may depend on them
  /// As in OpenOptions: where children of raw disks find their parents.
  std::vector<std::pair<std::string, std::filesystem::path>> parent_map = {};
};

/// An image that names one of the parents.
struct ChildImage {
  std::filesystem::path path;
  FileId id;
  ParentLink link;
  u64 size = 0;
  bool by_link = false;  ///< `path` is a symbolic link to it
};

/// The search for the children of one opened layer, in its directory and below the roots.
Result<ChildSearch> search_for_children(const Layer& layer, const OpenOptions& options);

/// Adds the directory in which an image stands, and that of a link that leads to it.
Status add_directories(ChildSearch& search, const std::filesystem::path& path,
                       const OpenOptions& options);

/// Images whose parent link accepts one of the ids; each file once, under its own name where it
/// has one there. Files that are no images, and files and directories that may not be read, are
/// passed over; nothing is locked or changed. Errors: those of the host, as a child may
/// be hidden behind them.
Result<std::vector<ChildImage>> find_child_images(FileSystem& file_system,
                                                  const ChildSearch& search);
/// Their paths.
Result<std::vector<std::filesystem::path>> find_children(FileSystem& file_system,
                                                         const ChildSearch& search);

}  // namespace vdisk
