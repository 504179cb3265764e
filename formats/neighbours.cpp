#include "formats/neighbours.h"

#include <algorithm>
#include <array>
#include <string>

namespace vdisk {

namespace {

constexpr std::array known_neighbours{
    Neighbour{.extension = ".rct",
              .id = "change-tracking",
              .message = "Hyper-V tracks changes of this image (.rct): what is changed here is "
                         "missing from its backups; take a full backup afterwards"},
    Neighbour{.extension = ".mrt",
              .id = "change-tracking",
              .message = "Hyper-V tracks changes of this image (.mrt): what is changed here is "
                         "missing from its backups; take a full backup afterwards"},
    Neighbour{.extension = ".hrl",
              .id = "replication",
              .message = "Hyper-V replicates this image (.hrl): what is changed here does not "
                         "reach the replica; resynchronise it afterwards"},
    Neighbour{.extension = ".v01",
              .replaces = ".vhd",
              .refuses = true,
              .id = "split-image",
              .message = "the first part of a split image (.v01 lies beside it), expected a whole "
                         "one: join the parts, first to last, into one file"},
};

struct ForeignFile {
  std::string_view extension;
  std::string_view description;
};
constexpr std::array foreign_files{
    ForeignFile{".vhds",
                "a VHD Set, whose layout is not public; open the .avhdx that lies beside it"},
    ForeignFile{".rct", "change tracking of Hyper-V, no image; open the image beside it"},
    ForeignFile{".mrt", "change tracking of Hyper-V, no image; open the image beside it"},
    ForeignFile{".hrl", "a replication log of Hyper-V, no image; open the image beside it"},
    ForeignFile{".v01",
                "a later part of a split image; join the parts, first to last, into one "
                "file and open that"},
};

bool equals_in_any_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

std::span<const Neighbour> neighbours() noexcept {
  return known_neighbours;
}

bool concerns(const Neighbour& neighbour, std::string_view extension) {
  return neighbour.replaces.empty() || equals_in_any_case(extension, neighbour.replaces);
}

std::optional<std::string_view> describe_foreign_file(std::string_view extension) {
  for (const ForeignFile& file : foreign_files) {
    if (equals_in_any_case(extension, file.extension)) return file.description;
  }
  return std::nullopt;
}

}  // namespace vdisk
