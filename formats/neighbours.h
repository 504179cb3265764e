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
  std::string_view extension;  ///< with the dot, behind that of the image
  std::string_view id;         ///< stable, of the warning
  std::string_view message;
};
[[nodiscard]] std::span<const Neighbour> neighbours() noexcept;

/// What a file without the signature of an image is, by its extension (with the dot, any case), and
/// what to do instead of opening it. Empty when nothing is known about it.
[[nodiscard]] std::optional<std::string_view> describe_foreign_file(std::string_view extension);

/// The same of a file that is not ours to write even when it holds an image: its extension says
/// that others keep account of it.
[[nodiscard]] std::optional<std::string_view> describe_guarded_file(std::string_view extension);

}  // namespace vdisk
