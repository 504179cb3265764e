#include "repair/damaged_place.h"

#include <fmt/format.h>

namespace vdisk::test {

void put_file(const MemoryPlace& place, const std::filesystem::path& path,
              std::span<const std::byte> content) {
  auto file = place.files->create_beside(path);
  must(file ? Status() : Status(std::unexpected(file.error())));
  must((*file)->write_at(0, content));
  must(place.files->publish(**file, path, true));
}

std::vector<std::byte> file_content(const MemoryPlace& place, const std::filesystem::path& path) {
  const auto file = place.files->open(path, {});
  must(file ? Status() : Status(std::unexpected(file.error())));
  std::vector<std::byte> content(*(*file)->size());
  must((*file)->read_at(0, content));
  return content;
}

std::filesystem::path put_image(const MemoryPlace& place, const DamagedImage& image) {
  const std::filesystem::path path = fmt::format("/disks/image.{}", image.format->name);
  put_file(place, path, image.file->content());
  return path;
}

}  // namespace vdisk::test
