/// Files that belong to images without being images that we read: named, instead of misread
/// (FORMATS 4).
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "vdisk/error.h"

namespace vdisk {

/// A file beside an image that says something about it.
struct Neighbour {
  std::string_view extension;  ///< with the dot
  /// Instead of this extension of the image (with the dot, any case); empty: behind any.
  std::string_view replaces = {};
  bool refuses = false;  ///< the image must not be opened; else a warning is enough
  std::string_view id;   ///< stable, of the warning
  std::string_view message;
};
[[nodiscard]] std::span<const Neighbour> neighbours() noexcept;

/// Whether the neighbour may lie beside an image with this extension.
[[nodiscard]] bool concerns(const Neighbour& neighbour, std::string_view extension);

/// What a file without the signature of an image is, by its extension (with the dot, any case), and
/// what to do instead of opening it. Empty when nothing is known about it.
[[nodiscard]] std::optional<std::string_view> describe_foreign_file(std::string_view extension);

}  // namespace vdisk
