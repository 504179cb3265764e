/// Images in memory for tests of the engine: short names for create, open and the operations, which
/// fail the test when they do.
#pragma once

#include <string>

#include "support/image_bytes.h"
#include "support/memory_filesystem.h"
#include "support/watched_filesystem.h"
#include "vdisk/operations.h"

namespace vdisk::test {

class MemoryPlace {
 public:
  [[nodiscard]] OpenOptions options(Access access = Access::read_only) const;
  /// `name` without a folder; its extension decides the format. `target.path` is set here.
  std::filesystem::path create(const std::string& name, u64 size, Target target = {}) const;
  std::filesystem::path snapshot(const std::filesystem::path& parent, const std::string& name,
                                 Target target = {}) const;
  [[nodiscard]] Disk open(const std::filesystem::path& path,
                          Access access = Access::read_only) const;
  /// The image's findings, the chain not included.
  [[nodiscard]] CheckReport check(const std::filesystem::path& path) const;
  [[nodiscard]] ImageBytes bytes(const std::filesystem::path& path) const { return {*files, path}; }

  std::shared_ptr<WatchedFileSystem> files =
      std::make_shared<WatchedFileSystem>(std::make_shared<MemoryFileSystem>());
};

/// Throws the error's message, which fails the test.
void must(const Status& status);
/// `length` bytes of one value.
[[nodiscard]] std::vector<std::byte> filled(u64 length, int value);
[[nodiscard]] std::vector<std::byte> read(const Disk& disk, u64 offset, u64 length);
/// Opens, writes, closes.
void write_and_close(const MemoryPlace& place, const std::filesystem::path& path, u64 offset,
                     std::span<const std::byte> data);

}  // namespace vdisk::test
