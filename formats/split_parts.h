/// The names of the parts of a split VHD: .vhd, .v01, .v02 ... They hold the bytes of one file, cut
/// anywhere: none of them is an image (FORMATS 1.2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vdisk {

/// Old programs made no more than this.
inline constexpr unsigned most_parts = 64;

/// Which part a file with this extension (with the dot, any case) may be: 0 is the first. Empty:
/// parts are not named so.
[[nodiscard]] std::optional<unsigned> part_number(std::string_view extension);

/// The extension of a part, in upper case where that of its neighbour is.
[[nodiscard]] std::string part_extension(unsigned number, std::string_view neighbour);

}  // namespace vdisk
