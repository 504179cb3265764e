/// Linking a child to its parent anew, crash-safely: the old or the new link, never half of one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engine/disk_core.h"

namespace vdisk {

/// What a child says about its parent.
struct LinkTarget {
  std::filesystem::path path;  ///< of the parent
  Guid content_id;
  i64 modified_time = 0;
  std::optional<std::string> windows_path = {};  ///< absolute; unset: none is known
};

/// The target that an opened layer is.
Result<LinkTarget> link_target(const Layer& parent);

/// Whether the paths can be written into the child. Errors: bad_path.
Status check_link(const std::filesystem::path& child, const std::filesystem::path& parent,
                  const FileSystem& file_system);

/// Durably makes the target the parent of an image opened for writing. Its content id does not
/// change, so that its own children stay valid. Errors: wrong_disk_kind, metadata_full, io.
Status link_child(Layer& child, const LinkTarget& target, FileSystem& file_system);

/// Opens a child alone for writing, with an exclusive lock; its format is found by content.
Result<Layer> open_child_for_linking(const std::filesystem::path& path, const OpenOptions& options);

}  // namespace vdisk
