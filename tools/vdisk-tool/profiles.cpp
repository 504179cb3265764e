/// The table of profiles. Sources: the platforms' own requirements and defaults.
#include "profiles.h"

#include <algorithm>

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
     .size_multiple = mib,
     .fit = {.formats = "vhd", .differencing = false, .nothing_beside_footer = true}},
    {.name = "hyperv",
     .does = "dynamic VHDX, 32 MiB blocks",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .block_size = 32 * mib32,
     .logical_sector_size = small_sector,
     .physical_sector_size = large_sector,
     .fit = {.formats = "vhd vhdx"}},
    {.name = "wsl",
     .does = "dynamic VHDX, 1 MiB blocks",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .block_size = 1 * mib32,
     .logical_sector_size = small_sector,
     .physical_sector_size = large_sector,
     .fit = {.formats = "vhdx", .differencing = false, .logical_sector_size = small_sector}},
    {.name = "xen",
     .does = "dynamic VHD, 2 MiB blocks",
     .format = "vhd",
     .type = ImageType::dynamic,
     .block_size = 2 * mib32,
     .fit = {.formats = "vhd", .block_size = 2 * mib32}},
    {.name = "virtualbox",
     .does = "dynamic VHD, 2 MiB blocks",
     .format = "vhd",
     .type = ImageType::dynamic,
     .block_size = 2 * mib32,
     .fit = {.formats = "vhd"}},
    {.name = "qemu",
     .does = "dynamic VHDX, sectors of 512 bytes",
     .format = "vhdx",
     .type = ImageType::dynamic,
     .logical_sector_size = small_sector,
     .physical_sector_size = small_sector,
     .fit = {.formats = "raw vhd vhdx",
             .differencing = false,
             .logical_sector_size = small_sector}},
};

/// Whether a list of words, separated by spaces, has this one.
bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto end = std::min(list.find(' '), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

/// Collects what is not as a platform wants it.
class Unfit {
 public:
  explicit Unfit(std::string_view profile) : profile_(profile) {}

  void unless(bool fits, std::string id, const std::string& found, std::string repair) {
    if (fits) return;
    findings_.push_back({.id = std::move(id),
                         .severity = Severity::error,
                         .message = fmt::format("{}: {}", profile_, found),
                         .repair = std::move(repair)});
  }
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  std::string_view profile_;
  std::vector<Finding> findings_;
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
  target.size_multiple = profile.size_multiple;
  return {};
}

std::vector<Finding> unfit_findings(const Profile& profile, const LayerInfo& layer) {
  Unfit unfit(profile.name);
  const ImageInfo& image = layer.image;
  const Fit& fit = profile.fit;
  unfit.unless(has_word(fit.formats, image.format), "profile-format",
               fmt::format("format {}, expected {}", image.format, fit.formats),
               fmt::format("convert with --profile {}", profile.name));
  const bool fixed_only = profile.type == ImageType::fixed;
  const bool right_type = fixed_only ? image.type == ImageType::fixed
                                     : fit.differencing || image.type != ImageType::differencing;
  unfit.unless(right_type, "profile-type",
               fmt::format("type {}, expected {}", name(image.type),
                           fixed_only ? "fixed" : "an image without a parent"),
               fmt::format("convert with --profile {}", profile.name));
  const u64 size = image.geometry.virtual_size;
  unfit.unless(size % profile.size_multiple == 0, "profile-size",
               fmt::format("size of the disk {} bytes, expected a multiple of {}", size,
                           profile.size_multiple),
               fmt::format("expand to the next multiple of {}", profile.size_multiple));
  const u32 sector = image.geometry.logical_sector_size;
  unfit.unless(!fit.logical_sector_size || *fit.logical_sector_size == sector, "profile-sector",
               fmt::format("logical sector size {} bytes, expected {}", sector,
                           fit.logical_sector_size.value_or(0)),
               {});
  const u32 block = image.geometry.block_size;
  unfit.unless(!fit.block_size || block == 0 || *fit.block_size == block, "profile-block-size",
               fmt::format("block size {} bytes, expected {}", block, fit.block_size.value_or(0)),
               fmt::format("convert with --profile {}", profile.name));
  constexpr u64 footer_size = 512;
  unfit.unless(!fit.nothing_beside_footer || !right_type || layer.file_size == size + footer_size,
               "profile-file-size",
               fmt::format("file of {} bytes, expected {}: the disk and its footer",
                           layer.file_size, size + footer_size),
               fmt::format("convert with --profile {}", profile.name));
  unfit.unless(!layer.dirty, "profile-log", "the log is dirty, expected an image closed cleanly",
               "open it once for writing");
  return unfit.take();
}

std::string profile_list() {
  std::string list;
  for (const auto& profile : profiles)
    list += fmt::format("{}{}: {}", list.empty() ? "" : "; ", profile.name, profile.does);
  return list;
}

std::vector<std::pair<std::string_view, const Profile*>> profile_choices() {
  std::vector<std::pair<std::string_view, const Profile*>> choices;
  for (const auto& profile : profiles) choices.emplace_back(profile.name, &profile);
  return choices;
}

}  // namespace vdisk::tool
