/// Profiles: what a platform wants of an image, as one word.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vdisk/operations.h"

namespace vdisk::tool {

/// What a platform takes, beyond what create makes for it.
struct Fit {
  std::string_view formats;  ///< names, separated by spaces
  bool differencing = true;
  std::optional<u32> logical_sector_size = {};
  std::optional<u32> block_size = {};  ///< of a dynamic image
  bool nothing_beside_footer = false;  ///< the file is the disk and the footer, nothing else
};

struct Profile {
  std::string_view name;
  std::string_view does;
  std::string_view format;
  ImageType type;
  std::optional<u32> block_size = {};
  std::optional<u32> logical_sector_size = {};
  std::optional<u32> physical_sector_size = {};
  u64 size_multiple = 1;  ///< sizes are rounded up to a multiple of this
  Fit fit = {};
};

[[nodiscard]] std::span<const Profile> all_profiles();
/// Null when unknown.
[[nodiscard]] const Profile* find_profile(std::string_view name);

/// Fills what the target leaves open. invalid_argument when the target, or the format that the
/// extension of its path stands for, contradicts the profile's format or type.
[[nodiscard]] Status apply_profile(const Profile& profile,
                                   const std::optional<std::string>& extension_format,
                                   Target& target);
/// Why the platform would not take an image; empty when it would.
[[nodiscard]] std::vector<Finding> unfit_findings(const Profile& profile, const LayerInfo& layer);

/// "azure: fixed VHD, size in whole MiB; hyperv: ...", for help texts.
[[nodiscard]] std::string profile_list();
/// The words of --profile.
[[nodiscard]] std::vector<std::pair<std::string_view, const Profile*>> profile_choices();

}  // namespace vdisk::tool
