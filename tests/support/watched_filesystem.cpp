#include "support/watched_filesystem.h"

#include <mutex>

namespace vdisk::test {

struct WatchedFileSystem::Watch {
  mutable std::mutex mutex;
  FileCounts counts;
  u64 directory_flushes = 0;
  Observer observer;

  void count(u64 FileCounts::* calls, u64 FileCounts::* bytes = nullptr, u64 length = 0) {
    const std::lock_guard lock(mutex);
    ++(counts.*calls);
    if (bytes != nullptr) counts.*bytes += length;
  }
  void count_directory_flush() {
    const std::lock_guard lock(mutex);
    ++directory_flushes;
  }
  void tell(const File& file, const Change& change) const {
    if (observer) observer(file, change);
  }
};

class WatchedFileSystem::WatchedFile : public ForwardingFile {
 public:
  WatchedFile(std::shared_ptr<File> inner, std::shared_ptr<Watch> watch)
      : ForwardingFile(std::move(inner)), watch_(std::move(watch)) {}

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    watch_->count(&FileCounts::reads, &FileCounts::read_bytes, out.size());
    return inner().read_at(offset, out);
  }
  Status write_at(u64 offset, std::span<const std::byte> data) override {
    watch_->count(&FileCounts::writes, &FileCounts::written_bytes, data.size());
    watch_->tell(inner(), {Change::Kind::write, offset, data.size(), data});
    return inner().write_at(offset, data);
  }
  Status zero_at(u64 offset, u64 length) override {
    watch_->count(&FileCounts::zeroings, &FileCounts::zeroed_bytes, length);
    watch_->tell(inner(), {Change::Kind::zero, offset, length});
    return inner().zero_at(offset, length);
  }
  Status punch_at(u64 offset, u64 length) override {
    watch_->count(&FileCounts::punches, &FileCounts::punched_bytes, length);
    watch_->tell(inner(), {Change::Kind::punch, offset, length});
    return inner().punch_at(offset, length);
  }
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override {
    watch_->count(&FileCounts::copies, &FileCounts::copied_bytes, length);
    watch_->tell(inner(), {Change::Kind::copy, target_offset, length});
    return inner().copy_from(source, source_offset, target_offset, length);
  }
  Status resize(u64 new_size) override {
    watch_->count(&FileCounts::resizes);
    watch_->tell(inner(), {Change::Kind::resize, new_size, 0});
    return inner().resize(new_size);
  }
  Status flush() override {
    watch_->count(&FileCounts::flushes);
    watch_->tell(inner(), {Change::Kind::flush});
    return inner().flush();
  }
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override {
    watch_->count(&FileCounts::hole_queries);
    return inner().next_hole(offset);
  }

 private:
  std::shared_ptr<Watch> watch_;
};

WatchedFileSystem::WatchedFileSystem(std::shared_ptr<FileSystem> inner)
    : inner_(std::move(inner)), watch_(std::make_shared<Watch>()) {}
WatchedFileSystem::~WatchedFileSystem() = default;

FileCounts WatchedFileSystem::counts() const {
  const std::lock_guard lock(watch_->mutex);
  return watch_->counts;
}

u64 WatchedFileSystem::directory_flushes() const {
  const std::lock_guard lock(watch_->mutex);
  return watch_->directory_flushes;
}

void WatchedFileSystem::reset() {
  const std::lock_guard lock(watch_->mutex);
  watch_->counts = {};
  watch_->directory_flushes = 0;
}

void WatchedFileSystem::observe(Observer observer) {
  watch_->observer = std::move(observer);
}

Result<std::shared_ptr<File>> WatchedFileSystem::watch(Result<std::shared_ptr<File>> opened) {
  if (!opened) return opened;
  return std::make_shared<WatchedFile>(*std::move(opened), watch_);
}

Result<std::shared_ptr<File>> WatchedFileSystem::open(const std::filesystem::path& path,
                                                      const FileOptions& options) {
  return watch(inner_->open(path, options));
}

Result<std::shared_ptr<File>> WatchedFileSystem::open_beneath(const std::filesystem::path& root,
                                                              const std::filesystem::path& relative,
                                                              const FileOptions& options) {
  return watch(inner_->open_beneath(root, relative, options));
}

Result<std::shared_ptr<File>> WatchedFileSystem::create_beside(
    const std::filesystem::path& target) {
  return watch(inner_->create_beside(target));
}

Status WatchedFileSystem::publish(File& temporary, const std::filesystem::path& target,
                                  bool replace) {
  watch_->count_directory_flush();
  return inner_->publish(dynamic_cast<WatchedFile&>(temporary).inner(), target, replace);
}

Status WatchedFileSystem::remove(const std::filesystem::path& path) {
  watch_->count_directory_flush();
  return inner_->remove(path);
}

Result<FileId> WatchedFileSystem::identity(const std::filesystem::path& path) const {
  return inner_->identity(path);
}

Result<std::vector<std::filesystem::path>> WatchedFileSystem::list(
    const std::filesystem::path& directory) const {
  return inner_->list(directory);
}

Result<std::vector<std::filesystem::path>> WatchedFileSystem::list_directories(
    const std::filesystem::path& directory) const {
  return inner_->list_directories(directory);
}

Result<std::filesystem::path> WatchedFileSystem::absolute(const std::filesystem::path& path) const {
  return inner_->absolute(path);
}

}  // namespace vdisk::test
