/// Disks of every subtype that can change its size, for the tests of shrink and expand.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/disk_builder.h"
#include "support/memory_place.h"
#include "vdisk/operations.h"

namespace vdisk::test {

inline constexpr u64 large = 6 * mib;
inline constexpr u64 small = 3 * mib - 4096;

struct Subtype {
  std::string extension;
  ImageType type = ImageType::dynamic;
  u32 sector = 512;
};
inline const std::vector<Subtype> subtypes = {
    {"raw", ImageType::fixed},          {"vhd", ImageType::fixed},
    {"vhd", ImageType::dynamic},        {"vhd", ImageType::differencing},
    {"vhdx", ImageType::fixed},         {"vhdx", ImageType::dynamic},
    {"vhdx", ImageType::dynamic, 4096}, {"vhdx", ImageType::differencing},
};

inline std::string describe(const Subtype& subtype) {
  return subtype.extension + " " + std::string(name(subtype.type)) + " " +
         std::to_string(subtype.sector);
}

/// An empty disk; a child stands on a parent of the size `below`.
inline std::filesystem::path make(const MemoryPlace& place, const Subtype& subtype, u64 size,
                                  u64 below = mib) {
  const bool child = subtype.type == ImageType::differencing;
  Target target;
  target.type = child ? ImageType::dynamic : subtype.type;
  if (subtype.extension == "vhd" && subtype.type != ImageType::fixed) {
    target.block_size = static_cast<u32>(512 * kib);
  }
  if (subtype.extension == "vhdx") target.block_size = static_cast<u32>(mib);
  if (subtype.extension == "vhdx") target.logical_sector_size = subtype.sector;
  const auto path = place.create("a." + subtype.extension, child ? below : size, target);
  if (!child) return path;
  write_and_close(place, path, 0, filled(below, 9));
  CreateOptions options;
  options.target.path = "/disks/child." + subtype.extension;
  options.target.block_size = target.block_size;
  options.parent = path;
  options.size = size;
  options.open = place.options();
  Progress progress;
  const auto made = create(options, progress);
  if (!made) throw std::runtime_error(made.error().message);
  return options.target.path;
}

/// The content of a disk with one partition and a GPT at its end, with data in the partition.
inline std::vector<std::byte> disk_with_gpt(u64 size, u32 sector) {
  auto bytes = test::gpt_disk({.sectors = size / sector,
                               .sector_size = sector,
                               .parts = {{64, 255, "boot"}, {256, mib / sector * 2 - 1, "data"}}});
  std::fill_n(bytes.begin() + 256 * sector, 300000, std::byte{7});
  return bytes;
}

}  // namespace vdisk::test
