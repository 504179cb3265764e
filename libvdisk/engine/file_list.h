/// The files of a directory, and of everything below it. Links to directories are not followed.
#pragma once

#include <filesystem>
#include <vector>

#include "vdisk/file.h"

namespace vdisk {

/// Directories that may not be read, below the one that was asked for.
enum class Unreadable { refuse, pass_over };

/// Appends the files of one directory.
Status list_files(const FileSystem& files, const std::filesystem::path& directory,
                  std::vector<std::filesystem::path>& paths);

/// Appends every file below a directory. Errors: limit (too many files, or nested too deep to be
/// a folder of images), those of FileSystem::list.
Status list_files_below(const FileSystem& files, const std::filesystem::path& directory,
                        Unreadable unreadable, std::vector<std::filesystem::path>& paths);

}  // namespace vdisk
