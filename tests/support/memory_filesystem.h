/// A FileSystem in memory: names, locks, temporaries and publication without a disk.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>

#include "io/memory_file.h"

namespace vdisk::test {

/// Folders exist as soon as a name lies in them. Threads: as FileSystem.
class MemoryFileSystem : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

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

 private:
  struct Node;
  struct Names;
  class Handle;
  class Temporary;
  Result<std::shared_ptr<File>> open_node(std::shared_ptr<Node> node, const std::string& name,
                                          const FileOptions& options);

  std::shared_ptr<Names> names_;
  u64 temporaries_ = 0;
};

}  // namespace vdisk::test
