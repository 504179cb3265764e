/// Images damaged by hand, each in one way: what check says about them, and what a repair leaves.
///
/// Built from the specification byte by byte, so that the expectation does not come from the code
/// under test. docs/check.md lists the same ids: a test compares both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/memory_file.h"
#include "vdisk/format.h"

namespace vdisk::test {

struct DamagedImage {
  std::string name;
  const Format* format = nullptr;
  std::shared_ptr<MemoryFile> file;
  std::string findings;  ///< severity and id of each, e.g. "error V26, info leak"
  std::string left;      ///< the same after a repair
};

[[nodiscard]] std::vector<DamagedImage> damaged_vhd_images();
[[nodiscard]] std::vector<DamagedImage> damaged_vhdx_images();
/// Both.
[[nodiscard]] std::vector<DamagedImage> damaged_images();

/// Severity and id of each finding, as in DamagedImage.
[[nodiscard]] std::string summary_of(const CheckReport& report);
[[nodiscard]] CheckReport check_file(const Format& format, const File& file);

/// What a reader of the image gets: one entry for each readable run, and its bytes.
struct Content {
  u64 virtual_size = 0;
  std::vector<bool> readable = {};     ///< of each sector of 512 bytes
  std::vector<std::byte> bytes = {};   ///< of the disk; zeros where nothing can be read
  std::vector<bool> from_parent = {};  ///< of each sector
};
/// Empty (virtual size 0) when the image does not open. Disks of at most 64 MiB.
[[nodiscard]] Content read_content(const Format& format, std::shared_ptr<File> file);
/// The first sector that `before` reads and `after` does not, or reads differently; -1: none.
[[nodiscard]] long long first_lost_sector(const Content& before, const Content& after);

}  // namespace vdisk::test
