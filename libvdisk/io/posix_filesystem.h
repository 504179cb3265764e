/// The host's file system: names, temporaries, durable publication.
#pragma once

#include "vdisk/file.h"

namespace vdisk {

/// Threads: safe; it has no state.
class PosixFileSystem : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::filesystem::path& path,
                                     const FileOptions& options) override;
  Result<std::shared_ptr<File>> open_beneath(const std::filesystem::path& root,
                                             const std::filesystem::path& relative,
                                             const FileOptions& options) override;
  Result<std::shared_ptr<File>> create_beside(const std::filesystem::path& target) override;
  Status publish(File& temporary, const std::filesystem::path& target, bool replace) override;
  Status remove(const std::filesystem::path& path) override;
  [[nodiscard]] Result<FileId> identity(const std::filesystem::path& path) const override;
  [[nodiscard]] Result<std::vector<std::filesystem::path>> list(
      const std::filesystem::path& directory) const override;
  [[nodiscard]] Result<std::vector<std::filesystem::path>> list_directories(
      const std::filesystem::path& directory) const override;
  [[nodiscard]] Result<std::filesystem::path> absolute(
      const std::filesystem::path& path) const override;
};

}  // namespace vdisk
