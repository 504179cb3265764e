/// A file system in memory with one damaged image in it, for tests of whole operations.
#pragma once

#include "repair/damaged_images.h"
#include "support/memory_place.h"

namespace vdisk::test {

/// Puts bytes under a name.
void put_file(const MemoryPlace& place, const std::filesystem::path& path,
              std::span<const std::byte> content);
[[nodiscard]] std::vector<std::byte> file_content(const MemoryPlace& place,
                                                  const std::filesystem::path& path);
/// Puts the image where an operation can find it; the path.
[[nodiscard]] std::filesystem::path put_image(const MemoryPlace& place, const DamagedImage& image);

}  // namespace vdisk::test
