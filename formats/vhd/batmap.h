/// The batmap of Xen's blktap: a bit for each fully present block (FORMATS 1.12). We read past it
/// and refuse to write, because a stale bit hides the parent's sectors.
#pragma once

#include "formats/vhd/dynamic_header.h"
#include "formats/vhd/footer.h"
#include "vdisk/file.h"

namespace vdisk::vhd {

/// Where the batmap's header is, if the image has one: behind the BAT.
[[nodiscard]] u64 batmap_header_offset(const DynamicHeader& header);

/// Adds V41 as read_only when the image has a batmap, and as warn when that is damaged.
/// Errors: io.
Status survey_batmap(const File& file, const Footer& footer, const DynamicHeader& header,
                     u64 file_size, Verdict& verdict);

}  // namespace vdisk::vhd
