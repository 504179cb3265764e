/// A FileSystem of paged files in memory that tells a hook about every operation: names, directory
/// syncs, resizes and flushes are operations of their own.
#pragma once

#include <map>
#include <memory>

#include "support/paged_content.h"
#include "support/storage_operation.h"
#include "vdisk/file.h"

namespace vdisk::test {

/// What is on a disk: files, and the names that lead to them.
struct FileTree {
  std::map<std::string, u64> names;  ///< absolute path -> number of the file
  std::map<u64, PagedContent> files;

  /// Null when the name is not there.
  [[nodiscard]] const PagedContent* find(const std::string& path) const;
  [[nodiscard]] u64 hash() const;
};

/// Folders exist as soon as a name lies in them. Locks as File says. Threads: one.
class PagedFileSystem : public FileSystem {
 public:
  explicit PagedFileSystem(FileTree tree = {});
  ~PagedFileSystem() override;

  /// Null: nobody. Must outlive the files.
  void set_hook(StorageHook* hook);
  [[nodiscard]] FileTree tree() const;
  /// Operations so far that changed something: content, a size, or a name.
  [[nodiscard]] u64 changes() const;

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
  [[nodiscard]] Result<std::filesystem::path> absolute(
      const std::filesystem::path& path) const override;

 private:
  struct Node;
  struct Shared;
  class Handle;
  class Temporary;

  std::shared_ptr<Shared> shared_;
};

/// Temporaries of PagedFileSystem have this in their names.
inline constexpr std::string_view temporary_mark = ".vdisk-tmp-";

}  // namespace vdisk::test
