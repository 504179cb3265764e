/// Opening the disk that an operation copies from: any image, gzip'd ones included.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/progress.h"

namespace vdisk {

struct SourceRequest {
  std::filesystem::path path;
  /// What this file stores and nothing else: the bytes of its parents read as zeros.
  bool layer = false;
  OpenOptions open;
};

/// Opens read-only. A gzip'd file is unpacked in passing: its content decides the format, its name
/// without .gz the rest. Errors: those of Disk::open and of unpacking.
Result<Disk> open_source(const SourceRequest& request, Progress& progress);

/// The same on a file that is open already; `request.path` is its name.
Result<Disk> open_source_file(std::shared_ptr<File> file, const SourceRequest& request,
                              Progress& progress);

/// Whether a name says that its file is gzip'd (.gz, in any case).
[[nodiscard]] bool is_gzip_name(const std::filesystem::path& path);

}  // namespace vdisk
