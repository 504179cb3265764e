/// The old footer of a fixed image whose growth was interrupted: it stands where the file used to
/// end, and only zeros follow, and perhaps a torn copy of it at the end of the file.
#pragma once

#include <optional>

#include "formats/vhd/layout.h"

namespace vdisk::vhd {

/// Looks for a valid fixed footer that stands behind its disk, and behind which the file reads as
/// zeros; the last 512 bytes may hold parts of the same footer. Bounded: walks the holes of the
/// host file, and reads a few MiB at most. Errors: io.
[[nodiscard]] Result<std::optional<FooterCopy>> find_stranded_footer(const File& file,
                                                                     u64 file_size);

}  // namespace vdisk::vhd
