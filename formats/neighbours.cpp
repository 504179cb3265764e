#include "formats/neighbours.h"

#include <algorithm>
#include <array>
#include <string>

#include "formats/letter_case.h"
#include "formats/split_parts.h"

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
};

struct ForeignFile {
  std::string_view extension;
  std::string_view description;
  bool guarded = false;  ///< never written, whatever it holds
};
constexpr std::array foreign_files{
    ForeignFile{".vhds",
                "a VHD Set, whose layout is not public; open the .avhdx that lies beside it", true},
    ForeignFile{".rct", "change tracking of Hyper-V, no image; open the image beside it"},
    ForeignFile{".mrt", "change tracking of Hyper-V, no image; open the image beside it"},
    ForeignFile{".hrl", "a replication log of Hyper-V, no image; open the image beside it"},
};

const ForeignFile* find_foreign_file(std::string_view extension) {
  const auto* found =
      std::ranges::find(foreign_files, lower_case(extension), &ForeignFile::extension);
  return found == foreign_files.end() ? nullptr : found;
}

}  // namespace

std::span<const Neighbour> neighbours() noexcept {
  return known_neighbours;
}

std::optional<std::string_view> describe_foreign_file(std::string_view extension) {
  if (const auto* file = find_foreign_file(extension)) return file->description;
  if (part_number(extension).value_or(0) != 0) {
    return "a later part of a split image; join the parts, first to last, into one file and open "
           "that";
  }
  return std::nullopt;
}

std::optional<std::string_view> describe_guarded_file(std::string_view extension) {
  const auto* file = find_foreign_file(extension);
  return file != nullptr && file->guarded ? std::optional(file->description) : std::nullopt;
}

}  // namespace vdisk
