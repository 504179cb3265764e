/// A read-only view of a file as its log would leave it. Nothing is written.
///
/// Keeps where each page is in the log, not the page: bounded by max_replay_descriptors.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "formats/vhdx/log_updates.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// Updates that one replay may hold: as many pages as the largest log has.
inline constexpr u64 max_replay_descriptors = max_log_length / log_sector_size;

/// Threads: concurrent reads.
class ReplayedFile final : public File {
 public:
  /// `base` must outlive the view. `size` is the file's size after the replay.
  static Result<std::unique_ptr<ReplayedFile>> build(const File& base, const Header& header,
                                                     const ActiveSequence& sequence, u64 size);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override { return size_; }
  Status resize(u64 new_size) override;
  Status flush() override;
  /// Holes of the base on which the log puts nothing.
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<FileId> identity() const override { return base_.identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return base_.modified_time(); }
  [[nodiscard]] const std::string& name() const override { return base_.name(); }

 private:
  ReplayedFile(const File& base, const Header& header, u64 base_size, u64 size)
      : base_(base), header_(header), base_size_(base_size), size_(size) {}

  void add(const LogUpdate& update);
  void add_zeros(u64 offset, u64 length);
  Status read_base(u64 offset, std::span<std::byte> out) const;
  void clear_zeros(u64 offset, std::span<std::byte> out) const;
  Status overlay_pages(u64 offset, std::span<std::byte> out) const;

  const File& base_;
  const Header header_;
  const u64 base_size_;
  const u64 size_;
  std::map<u64, LogUpdate> pages_;  ///< by file offset; on top of the zeros
  std::map<u64, u64> zeros_;        ///< begin -> end, disjoint
};

}  // namespace vdisk::vhdx
