/// What check says about the surroundings of an image: its parents, and files of other programs.
#pragma once

#include "engine/chain.h"

namespace vdisk {

/// A parent that could not be opened, as a finding of the child that names it.
[[nodiscard]] Finding broken_link(const Layer& child, const Error& error,
                                  const OpenOptions& options);

/// Whether the paths that the image states lead to more than one file with the parent's identity:
/// which one is taken depends on their order. `chosen` is the one that was.
[[nodiscard]] std::optional<Finding> ambiguous_link(const Layer& child, const Layer& chosen,
                                                    const OpenOptions& options);

/// Other parts of a split image beside the file, and change tracking files of Hyper-V: a change by
/// anybody else makes them stale.
void add_companions(const std::filesystem::path& path, const File& file, FileSystem& file_system,
                    CheckReport& report);

}  // namespace vdisk
