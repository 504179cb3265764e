#include "engine/split_image.h"

#include <fmt/format.h>

#include "engine/layer.h"
#include "formats/neighbours.h"
#include "formats/split_parts.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

struct Parts {
  std::string names;    ///< of those that exist, in order, with blanks between them
  std::string missing;  ///< the first one that is missing before the last
  unsigned count = 0;
};

Parts find_parts(const FileSystem& file_system, const fs::path& path) {
  const std::string extension = path.extension().string();
  Parts parts;
  std::string absent;
  for (unsigned number = 0; number < most_parts; ++number) {
    fs::path part = path;
    part.replace_extension(part_extension(number, extension));
    if (!file_system.identity(part)) {
      if (absent.empty()) absent = part.filename().string();
      continue;
    }
    if (parts.missing.empty()) parts.missing = absent;
    parts.names += (parts.count == 0 ? "" : " ") + part.filename().string();
    ++parts.count;
  }
  return parts;
}

/// A first part has a second one beside it, any other one the first or the one before it.
bool has_neighbour(const FileSystem& file_system, const fs::path& path, unsigned number) {
  const auto exists = [&](unsigned other) {
    fs::path part = path;
    part.replace_extension(part_extension(other, path.extension().string()));
    return file_system.identity(part).has_value();
  };
  return number == 0 ? exists(1) : exists(0) || exists(number - 1);
}

}  // namespace

std::optional<std::string> describe_part(const FileSystem& file_system, const fs::path& path) {
  const auto number = part_number(path.extension().string());
  if (!number || !has_neighbour(file_system, path, *number)) return std::nullopt;
  const Parts parts = find_parts(file_system, path);
  if (!parts.missing.empty()) {
    return fmt::format("one part of a split image of which {} is missing, expected a whole one",
                       parts.missing);
  }
  fs::path joined = path.filename();
  joined.replace_extension();
  joined += "-joined" + part_extension(0, path.extension().string());
  return fmt::format(
      "one part of a split image, expected a whole one: join the parts into one file, first to "
      "last: cat {} > {}",
      parts.names, joined.string());
}

Status refuse_part(const FileSystem& file_system, const fs::path& path) {
  const auto part = describe_part(file_system, path);
  if (!part) return {};
  return fail(Errc::unsupported, fmt::format("{}: {}", path.string(), *part));
}

Status refuse_guarded(const fs::path& path) {
  const auto guarded = describe_guarded_file(path.extension().string());
  if (!guarded) return {};
  return fail(Errc::unsupported,
              fmt::format("{}: named like {}; it is never written", path.string(), *guarded));
}

Error explain_part(const FileSystem& file_system, const fs::path& path, Error error) {
  const auto refused = refuse_part(file_system, path);
  return refused ? at_path(path, std::move(error)) : refused.error();
}

}  // namespace vdisk
