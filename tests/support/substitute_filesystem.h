/// A FileSystem in which one name stands for a given file: an operation of the engine runs on a
/// file that crashes, fails or counts, and its parents stay where they are.
#pragma once

#include <memory>
#include <utility>

#include "vdisk/file.h"

namespace vdisk::test {

/// Threads: as the inner file system.
class SubstituteFileSystem : public FileSystem {
 public:
  SubstituteFileSystem(std::shared_ptr<FileSystem> inner, std::filesystem::path path,
                       std::shared_ptr<File> file)
      : inner_(std::move(inner)), path_(std::move(path)), file_(std::move(file)) {}

  Result<std::shared_ptr<File>> open(const std::filesystem::path& path,
                                     const FileOptions& options) override {
    return path == path_ ? file_ : inner_->open(path, options);
  }
  Result<std::shared_ptr<File>> open_beneath(const std::filesystem::path& root,
                                             const std::filesystem::path& relative,
                                             const FileOptions& options) override {
    return inner_->open_beneath(root, relative, options);
  }
  Result<std::shared_ptr<File>> create_beside(const std::filesystem::path& target) override {
    return inner_->create_beside(target);
  }
  Status publish(File& temporary, const std::filesystem::path& target, bool replace) override {
    return inner_->publish(temporary, target, replace);
  }
  Status remove(const std::filesystem::path& path) override { return inner_->remove(path); }
  [[nodiscard]] Result<FileId> identity(const std::filesystem::path& path) const override {
    return path == path_ ? file_->identity() : inner_->identity(path);
  }
  /// Without the substitute's name: nobody finds two of them.
  [[nodiscard]] Result<std::vector<std::filesystem::path>> list(
      const std::filesystem::path& directory) const override {
    auto names = inner_->list(directory);
    if (names) std::erase(*names, path_.filename());
    return names;
  }
  [[nodiscard]] Result<std::filesystem::path> absolute(
      const std::filesystem::path& path) const override {
    return inner_->absolute(path);
  }

 private:
  std::shared_ptr<FileSystem> inner_;
  std::filesystem::path path_;
  std::shared_ptr<File> file_;
};

}  // namespace vdisk::test
