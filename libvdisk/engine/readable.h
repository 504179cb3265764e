/// What of one image can be read, and the proof that a change of its file loses nothing of that.
///
/// An image that cannot be opened reads nothing; a block whose entry is broken reads nothing.
#pragma once

#include <memory>

#include "io/planned_file.h"
#include "vdisk/format.h"
#include "vdisk/progress.h"

namespace vdisk {

/// How much of the guest's disk cannot be read.
struct Readability {
  u64 virtual_size = 0;  ///< 0: the image does not open
  u64 unreadable_bytes = 0;
};

struct ReadableComparison {
  Readability before;
  Readability after;
};

/// Walks over the disk once. Fails with Errc::internal and the guest offset when a sector that the
/// image reads now would not be read, or be read differently, once `plan` is done to `file`.
/// Only what the plan may have touched is really read and compared. Errors besides: io, canceled.
[[nodiscard]] Result<ReadableComparison> compare_readability(const Format& format,
                                                             std::shared_ptr<File> file,
                                                             std::shared_ptr<PlannedFile> plan,
                                                             Progress& progress);

}  // namespace vdisk
