/// Two files in memory, a leaf that may be written and its parent that may not, on a machine that
/// can lose power (tests/support/crash_file.h).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "io/memory_file.h"
#include "support/crash_file.h"
#include "vdisk/file.h"

namespace vdisk::fuzz {

class PowerFileSystem final : public FileSystem {
 public:
  struct Crash {
    u64 call_index = 0;
    u32 seed = 0;
  };

  /// `parent` may be null.
  PowerFileSystem(std::filesystem::path leaf_path, std::shared_ptr<MemoryFile> leaf,
                  std::shared_ptr<MemoryFile> parent)
      : leaf_path_(std::move(leaf_path)), leaf_(std::move(leaf)), parent_(std::move(parent)) {}

  [[nodiscard]] std::filesystem::path parent_path() const;

  /// The power fails at that change or flush, counted from now or from the next opening on.
  void crash_at(Crash crash);
  /// Whether it has failed since the leaf was opened for writing.
  [[nodiscard]] bool crashed() const { return machine_ != nullptr && machine_->crashed(); }
  /// Ends the life of the process, and what it left becomes the leaf: everything that it wrote, or
  /// what the power failure left of that.
  void settle();

  [[nodiscard]] const MemoryFile& leaf() const { return *leaf_; }

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
  const std::filesystem::path leaf_path_;
  std::shared_ptr<MemoryFile> leaf_;
  const std::shared_ptr<MemoryFile> parent_;
  std::shared_ptr<test::CrashFile> machine_;  ///< while the leaf is open for writing
  std::optional<Crash> next_crash_;
};

}  // namespace vdisk::fuzz
