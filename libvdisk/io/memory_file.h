/// A file in memory: for tests, fuzzing, and images that never touch a disk.
///
/// Content is a sparse map of pages; what has no page reads as zeros, so that a file of 64 TiB
/// costs only what was written. Nothing is ever durable: flush() only succeeds.
#pragma once

#include <map>
#include <shared_mutex>
#include <vector>

#include "vdisk/file.h"

namespace vdisk {

/// Threads: as File; one writer or many readers at a time.
class MemoryFile : public File {
 public:
  explicit MemoryFile(std::string name = "memory");
  /// A file with this content.
  static std::shared_ptr<MemoryFile> with_content(std::span<const std::byte> content,
                                                  std::string name = "memory");

  /// An independent copy of content, size and times, as they are now.
  [[nodiscard]] std::shared_ptr<MemoryFile> clone() const;
  /// All bytes. For small files: the result is as large as the file.
  [[nodiscard]] std::vector<std::byte> content() const;

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override;
  Status resize(u64 new_size) override;
  Status flush() override { return {}; }
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<u64> allocated_size() const override;
  /// Unique among the files that exist at the same time.
  [[nodiscard]] Result<FileId> identity() const override;
  [[nodiscard]] Result<i64> modified_time() const override;
  Status set_modified_time(i64 seconds) override;
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  using Page = std::vector<std::byte>;

  [[nodiscard]] Status check_end(std::string_view verb, u64 offset, u64 length) const;
  void clear(u64 offset, u64 length);
  void clear_inside_page(u64 offset, u64 length);

  const std::string name_;
  mutable std::shared_mutex mutex_;
  std::map<u64, Page> pages_;  ///< by offset, a multiple of the page size
  u64 size_ = 0;
  i64 modified_time_ = 0;
};

}  // namespace vdisk
