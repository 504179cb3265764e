/// Turning the words of an image about its parent into paths of the host, by policy only: no file
/// is touched here (HOSTILE section 1.4).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "vdisk/disk.h"

namespace vdisk {

/// A place to look for a parent: `relative` below `root`, never leaving it.
struct ParentCandidate {
  std::filesystem::path root;
  std::filesystem::path relative;
  std::string stated;  ///< what the image said, for messages
};

struct ParentCandidates {
  std::vector<ParentCandidate> places;  ///< in the order in which they are tried
  std::vector<std::string> refused;     ///< stated paths that the policy does not follow
};

/// `child_directory` and the roots of `options` are absolute.
[[nodiscard]] ParentCandidates parent_candidates(const ParentLink& link,
                                                 const std::filesystem::path& child_directory,
                                                 const OpenOptions& options);

/// The relative path from one absolute directory to a file, in the separators of Windows and with
/// a leading `.\` where it does not begin with `..`. Errors: bad_path when a name on the way holds
/// a backslash, which would be read as a separator.
[[nodiscard]] Result<std::string> windows_relative_path(const std::filesystem::path& from_directory,
                                                        const std::filesystem::path& file);

}  // namespace vdisk
