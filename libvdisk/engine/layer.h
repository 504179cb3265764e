/// One opened image of a chain: the host's file, its format and its map.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "vdisk/disk.h"
#include "vdisk/format.h"

namespace vdisk {

struct Layer {
  std::filesystem::path path;
  std::shared_ptr<File> file;  ///< the host's file; image->file() may be an overlay over it
  FileId id;
  const Format* format = nullptr;
  std::unique_ptr<Image> image;
  bool dirty = false;                    ///< the log had to be replayed
  std::vector<Warning> warnings = {};    ///< beyond those of the image itself
  std::vector<Warning> neighbours = {};  ///< what files of other programs beside it mean
};

/// What differs between opening a leaf and opening a parent.
struct LayerRequest {
  std::filesystem::path path;
  std::shared_ptr<File> file;  ///< opened and locked by the caller
  Access access = Access::read_only;
  ReadLog read_log = ReadLog::automatic;
  std::optional<std::string> format = {};  ///< unset: by content, and by extension for raw
  Durability durability = Durability::crash_safe;
};

/// Recognises the format, deals with a dirty log and opens the image. Error messages begin with
/// the path. Errors: not_image, ambiguous_format, format_mismatch, needs_replay, and the format's.
Result<Layer> open_layer(const LayerRequest& request, const OpenOptions& options);

/// Opens the host's file of a leaf with the lock and access that the options ask for.
Result<std::shared_ptr<File>> open_leaf_file(FileSystem& file_system,
                                             const std::filesystem::path& path,
                                             const OpenOptions& options);

/// One image without its parents, as the options ask for it (access, lock, log, format). Errors:
/// those of opening its file and of open_layer.
Result<Layer> open_alone(const std::filesystem::path& path, const OpenOptions& options);

/// The format of a file: by name, by content, or raw by extension.
Result<const Format*> choose_format(const File& file, const std::filesystem::path& path,
                                    const std::optional<std::string>& name);

/// The file system of the options, or the host's.
[[nodiscard]] std::shared_ptr<FileSystem> file_system_of(const OpenOptions& options);

/// Whether an error speaks of the host and not of what the file holds: io, no_space, no_memory.
[[nodiscard]] bool is_of_host(const Error& error) noexcept;

/// Puts the path in front of an error of a format.
[[nodiscard]] Error at_path(const std::filesystem::path& path, Error error);

}  // namespace vdisk
