/// Names of formats for callers that know only the public headers.
#include "formats/formats.h"
#include "vdisk/operations.h"

namespace vdisk {

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const Format* format : all_formats()) names.emplace_back(format->name);
  return names;
}

std::optional<std::string> format_for_extension(const std::filesystem::path& path) {
  const Format* format = find_format_by_extension(path.extension().string());
  if (format == nullptr) return std::nullopt;
  return std::string(format->name);
}

}  // namespace vdisk
