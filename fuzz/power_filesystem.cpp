#include "fuzz/power_filesystem.h"

#include <limits>

#include "fuzz/promise.h"
#include "support/forwarding_file.h"

namespace vdisk::fuzz {

namespace {

/// Whoever opened a file for reading only does not change it.
class ReadOnlyFile final : public test::ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  Status write_at(u64, std::span<const std::byte>) override { return refuse(); }
  Status zero_at(u64, u64) override { return refuse(); }
  Status punch_at(u64, u64) override { return refuse(); }
  Status copy_from(const File&, u64, u64, u64) override { return refuse(); }
  Status resize(u64) override { return refuse(); }

 private:
  static Status refuse() {
    require(false, "a file opened read-only is changed");
    return {};
  }
};

std::unexpected<Error> unknown(const std::filesystem::path& path) {
  return fail(Errc::file_not_found, path.string() + ": no such file");
}

}  // namespace

std::filesystem::path PowerFileSystem::parent_path() const {
  return leaf_path_.parent_path() / ("base" + leaf_path_.extension().string());
}

void PowerFileSystem::crash_at(Crash crash) {
  if (machine_ != nullptr) {
    if (!machine_->crashed()) machine_->crash_before(crash.call_index, crash.seed);
  } else {
    next_crash_ = crash;
  }
}

void PowerFileSystem::settle() {
  if (machine_ == nullptr) return;
  if (!machine_->crashed()) {
    // What a process wrote outlives it, also when a failure was still to come.
    machine_->crash_before(std::numeric_limits<u64>::max(), 0);
    (void)machine_->flush();
    machine_->crash_now();
  }
  leaf_ = machine_->remains();
  machine_.reset();
}

Result<std::shared_ptr<File>> PowerFileSystem::open(const std::filesystem::path& path,
                                                    const FileOptions& options) {
  if (parent_ != nullptr && path == parent_path()) {
    require(options.access == Access::read_only, "the parent is opened for writing");
    return std::make_shared<ReadOnlyFile>(parent_);
  }
  if (path != leaf_path_) return unknown(path);
  if (options.access == Access::read_only) {
    // A look at a leaf in use, as the search for children takes it, sees what its writer sees.
    return machine_ != nullptr ? std::make_shared<ReadOnlyFile>(machine_)
                               : std::make_shared<ReadOnlyFile>(leaf_);
  }
  require(machine_ == nullptr, "the leaf is opened for writing twice");
  machine_ = std::make_shared<test::CrashFile>(*leaf_);
  if (next_crash_) machine_->crash_before(next_crash_->call_index, next_crash_->seed);
  next_crash_.reset();
  return machine_;
}

Result<std::shared_ptr<File>> PowerFileSystem::open_beneath(const std::filesystem::path& root,
                                                            const std::filesystem::path& relative,
                                                            const FileOptions& options) {
  return open((root / relative).lexically_normal(), options);
}

Result<std::shared_ptr<File>> PowerFileSystem::create_beside(const std::filesystem::path& target) {
  return fail(Errc::unsupported, target.string() + ": no new files here");
}

Status PowerFileSystem::publish(File&, const std::filesystem::path& target, bool) {
  return fail(Errc::unsupported, target.string() + ": no new files here");
}

Status PowerFileSystem::remove(const std::filesystem::path& path) {
  return fail(Errc::unsupported, path.string() + ": nothing is removed here");
}

Result<FileId> PowerFileSystem::identity(const std::filesystem::path& path) const {
  if (path == leaf_path_) return machine_ != nullptr ? machine_->identity() : leaf_->identity();
  if (parent_ != nullptr && path == parent_path()) return parent_->identity();
  return unknown(path);
}

Result<std::vector<std::filesystem::path>> PowerFileSystem::list(
    const std::filesystem::path&) const {
  std::vector<std::filesystem::path> names{leaf_path_.filename()};
  if (parent_ != nullptr) names.push_back(parent_path().filename());
  return names;
}

Result<std::filesystem::path> PowerFileSystem::absolute(const std::filesystem::path& path) const {
  return path.lexically_normal();
}

}  // namespace vdisk::fuzz
