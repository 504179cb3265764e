/// Profiles: what a platform wants of an image, as one word.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vdisk/operations.h"

namespace vdisk::tool {

struct Profile {
  std::string_view name;
  std::string_view does;
  std::string_view format;
  ImageType type;
  std::optional<u32> block_size = {};
  std::optional<u32> logical_sector_size = {};
  std::optional<u32> physical_sector_size = {};
  u64 size_multiple = 1;  ///< sizes are rounded up to a multiple of this
};

[[nodiscard]] std::span<const Profile> all_profiles();
/// Null when unknown.
[[nodiscard]] const Profile* find_profile(std::string_view name);

/// Fills what the target leaves open. invalid_argument when the target, or the format that the
/// extension of its path stands for, contradicts the profile's format or type.
[[nodiscard]] Status apply_profile(const Profile& profile,
                                   const std::optional<std::string>& extension_format,
                                   Target& target);
/// `size` as the profile wants it.
[[nodiscard]] u64 rounded_size(const Profile& profile, u64 size);

}  // namespace vdisk::tool
