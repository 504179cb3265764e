/// The table of profiles. Sources: the platforms' own requirements and defaults.
#include "profiles.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "errors.h"

namespace vdisk::tool {
namespace {

constexpr u32 mib32 = static_cast<u32>(mib);
constexpr u32 small_sector = 512;
constexpr u32 large_sector = 4096;

constexpr Profile profiles[] = {
    {.name = "azure",
     .does = "fixed VHD, size in whole MiB",
     .format = "vhd",
     .type = ImageType::fixed,
     .size_multiple = mib},
    {.name = "hyperv",
     .does = "dynamic VHDX, 32 MiB blocks",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .block_size = 32 * mib32,
     .logical_sector_size = small_sector,
     .physical_sector_size = large_sector},
    {.name = "wsl",
     .does = "dynamic VHDX, 1 MiB blocks",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .block_size = 1 * mib32,
     .logical_sector_size = small_sector,
     .physical_sector_size = large_sector},
    {.name = "xen",
     .does = "dynamic VHD, 2 MiB blocks",
     .format = "vhd",
     .type = ImageType::dynamic,
     .block_size = 2 * mib32},
    {.name = "virtualbox",
     .does = "dynamic VHD, 2 MiB blocks",
     .format = "vhd",
     .type = ImageType::dynamic,
     .block_size = 2 * mib32},
    {.name = "qemu",
     .does = "dynamic VHDX, sectors of 512 bytes",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .logical_sector_size = small_sector,
     .physical_sector_size = small_sector},
};

}  // namespace

std::span<const Profile> all_profiles() {
  return profiles;
}

const Profile* find_profile(std::string_view name) {
  const auto* const found = std::ranges::find(profiles, name, &Profile::name);
  return found == std::end(profiles) ? nullptr : found;
}

Status apply_profile(const Profile& profile, const std::optional<std::string>& extension_format,
                     Target& target) {
  const auto named = target.format ? target.format : extension_format;
  if (named && *named != profile.format) {
    return usage_error(fmt::format("--profile {} makes {}, but {} asks for {}", profile.name,
                                   profile.format, target.format ? "--format" : "the extension",
                                   *named));
  }
  if (target.type && *target.type != profile.type) {
    return usage_error(fmt::format("--profile {} makes a {} image, but --type asks for {}",
                                   profile.name, name(profile.type), name(*target.type)));
  }
  target.format = std::string(profile.format);
  target.type = profile.type;
  if (!target.block_size) target.block_size = profile.block_size;
  if (!target.logical_sector_size) target.logical_sector_size = profile.logical_sector_size;
  if (!target.physical_sector_size) target.physical_sector_size = profile.physical_sector_size;
  return {};
}

u64 rounded_size(const Profile& profile, u64 size) {
  const u64 excess = size % profile.size_multiple;
  if (excess == 0) return size;
  const u64 missing = profile.size_multiple - excess;
  return size > std::numeric_limits<u64>::max() - missing ? size : size + missing;
}

}  // namespace vdisk::tool
