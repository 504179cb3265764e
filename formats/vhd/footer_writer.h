/// Writing footers in an order that leaves one of them valid at every instant (FORMATS 1.15).
#pragma once

#include "formats/vhd/layout.h"

namespace vdisk::vhd {

[[nodiscard]] Status write_footer(File& file, u64 offset, const Footer& footer);

/// Gives the file a new end: the footer, with its content as it is, goes to `new_offset`. When that
/// fails, the file is cut to where the old footer ends. Does not flush.
[[nodiscard]] Status extend_with_footer(File& file, const Layout& layout, u64 new_offset);

/// Puts a change of the footer into effect: the end footer, durable, then the copy at 0 of the
/// sparse types, durable. Each write is one sector, so the file is old or new at every instant.
[[nodiscard]] Status publish_footer(File& file, u64 end_offset, const Footer& footer);

/// Makes both footers equal and durable as layout.repair says, and updates the layout.
[[nodiscard]] Status repair_footers(File& file, Layout& layout);

}  // namespace vdisk::vhd
