/// A FileSystem whose files count every call and tell an observer about every change.
#pragma once

#include <functional>
#include <vector>

#include "support/counting_file.h"
#include "vdisk/file.h"

namespace vdisk::test {

/// One change of a file, told before it happens.
struct Change {
  enum class Kind { write, zero, punch, copy, resize, flush };
  Kind kind = Kind::write;
  u64 offset = 0;  ///< resize: the new size
  u64 length = 0;
  std::span<const std::byte> data = {};  ///< write only
};

/// Threads: as File; the observer is called on the thread that makes the change.
class WatchedFileSystem : public FileSystem {
 public:
  /// `file` is the unwatched one: what it holds before the change.
  using Observer = std::function<void(const File& file, const Change& change)>;

  explicit WatchedFileSystem(std::shared_ptr<FileSystem> inner);
  ~WatchedFileSystem() override;

  /// Of all files together since the last reset().
  [[nodiscard]] FileCounts counts() const;
  /// publish() and remove(): each makes one directory durable.
  [[nodiscard]] u64 directory_flushes() const;
  void reset();
  /// Null: nobody. Set while no file is in use.
  void observe(Observer observer);

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
  struct Watch;
  class WatchedFile;
  Result<std::shared_ptr<File>> watch(Result<std::shared_ptr<File>> opened);

  std::shared_ptr<FileSystem> inner_;
  std::shared_ptr<Watch> watch_;
};

}  // namespace vdisk::test
