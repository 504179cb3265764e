/// The file type identifier: signature and creator (FORMATS 2.2). Never rewritten after creation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vdisk/file.h"

namespace vdisk::vhdx {

/// The creator as UTF-8, for display only. Errors: X1 (file too short), X2 (no signature).
[[nodiscard]] Result<std::string> read_file_identifier(const File& file);
/// One 4 KiB page: signature and creator, cut to 255 UTF-16 units; the rest is zero.
[[nodiscard]] std::vector<std::byte> encode_file_identifier(std::string_view creator);

}  // namespace vdisk::vhdx
