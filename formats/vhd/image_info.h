/// What the headers of an image say, for Image::info and for errors of opening.
#pragma once

#include "formats/vhd/layout.h"
#include "vdisk/image.h"

namespace vdisk::vhd {

[[nodiscard]] Geometry geometry_of(const Layout& layout);
[[nodiscard]] ImageInfo info_of(const Layout& layout, const std::vector<Warning>& warnings);
/// One warning for each rule that is broken and worth telling.
[[nodiscard]] std::vector<Warning> warnings_of(const Verdict& verdict);

/// Errors: invalid_argument (no multiple of 512, more than 2040 GiB), cannot_shrink, wrong_state
/// (a saved state refers to the disk as it is).
[[nodiscard]] Status validate_new_size(const Layout& layout, u64 new_size);
/// The same for a size up to the present one, which must not be 0.
[[nodiscard]] Status validate_smaller_size(const Layout& layout, u64 new_size);

/// Errors: unsupported (a VHD has no sector size), invalid_argument (an id of zeros, which names no
/// parent), wrong_state (a saved state refers to the disk by its id).
[[nodiscard]] Status validate_description(const Layout& layout, const DescriptionChange& change);

}  // namespace vdisk::vhd
