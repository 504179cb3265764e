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

/// A readable run of a disk.
struct ContentRun {
  u64 offset = 0;
  u64 length = 0;
  bool of_parent = false;
  std::vector<std::byte> bytes = {};  ///< empty: zeros, or the parent's

  [[nodiscard]] u64 end() const { return offset + length; }
};
/// What a reader of the image gets: what is in no run cannot be read.
struct Content {
  u64 virtual_size = 0;
  std::vector<ContentRun> runs = {};  ///< by offset
};
/// Empty (virtual size 0) when the image does not open.
[[nodiscard]] Content read_content(const Format& format, std::shared_ptr<File> file);
/// The first byte that `before` reads and `after` does not, or reads differently; -1: none. Exact
/// to the sector.
[[nodiscard]] long long first_lost_byte(const Content& before, const Content& after);

}  // namespace vdisk::test
