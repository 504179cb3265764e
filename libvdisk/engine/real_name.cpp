#include "engine/real_name.h"

#include <fmt/format.h>

namespace vdisk {

namespace fs = std::filesystem;

Result<fs::path> real_name(const fs::path& path, const OpenOptions& options) {
  std::error_code error;
  if (options.file_system || !fs::is_symlink(path, error)) return path;
  auto target = fs::canonical(path, error);
  if (!error) return target;
  return fail(Errc::io, fmt::format("{}: link: {}", path.string(), error.message()));
}

bool is_link(const fs::path& path, const File& opened) {
  std::error_code error;
  return opened.native_descriptor() && fs::is_symlink(path, error);
}

u64 count_of_names(const fs::path& path, const OpenOptions& options) {
  if (options.file_system) return 1;
  std::error_code error;
  const auto count = fs::hard_link_count(path, error);
  return error ? 1 : count;
}

}  // namespace vdisk
