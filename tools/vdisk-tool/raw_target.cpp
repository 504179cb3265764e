/// Options that would be ignored silently.
#include "raw_target.h"

#include <fmt/format.h>

#include "errors.h"

namespace vdisk::tool {

Status check_raw_target(const Target& target, const std::optional<std::string>& format_by_name) {
  constexpr u32 raw_sector_size = 512;
  if (target.format.value_or(format_by_name.value_or("")) != "raw") return {};
  const auto refuse = [](std::string_view option, std::string_view why) {
    return usage_error(fmt::format("{}: a raw disk {}", option, why));
  };
  if (target.id) return refuse("--id", "has no identifier");
  if (target.type == ImageType::dynamic) return refuse("--type", "cannot be dynamic");
  if (target.logical_sector_size.value_or(raw_sector_size) != raw_sector_size)
    return refuse("--logical-sector", "keeps no sector size; whoever opens it decides");
  if (target.physical_sector_size.value_or(raw_sector_size) != raw_sector_size)
    return refuse("--physical-sector", "keeps no sector size; whoever opens it decides");
  return {};
}

}  // namespace vdisk::tool
