/// A raw disk as an Image: guest offset and file offset are the same.
///
/// The disk is the file rounded up to whole sectors; what lies behind the end of the file reads as
/// zeros until the first write there makes the file as long as the disk.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "vdisk/format.h"

namespace vdisk::raw {

inline constexpr u32 sector_size = 512;
/// Id of the warning, and of the finding, about a file that ends inside a sector.
inline constexpr std::string_view odd_size_id = "file_size";

/// What is said about a file that ends inside a sector; nothing about others.
[[nodiscard]] std::optional<std::string> describe_padding(u64 file_size);

class RawImage : public Image {
 public:
  RawImage(std::shared_ptr<File> file, u64 file_size, const ImageOptions& options);

  [[nodiscard]] Geometry geometry() const override;
  [[nodiscard]] File& file() const override { return *file_; }
  [[nodiscard]] ImageInfo info() const override;
  /// A raw disk has no blocks.
  [[nodiscard]] Result<BlockCounts> count_blocks() const override { return BlockCounts{}; }

  /// Holes of the host file are State::zero.
  [[nodiscard]] Result<Extent> extent_at(u64 offset, u64 limit) const override;
  [[nodiscard]] bool extents_leave_out_holes() const override { return true; }
  Result<Extent> reserve(u64 offset, u64 limit) override;
  Status commit(const Extent&) override { return {}; }
  /// State::zero keeps the space of the host file, State::absent gives it back.
  Result<u64> discard(u64 offset, u64 length, State to) override;

  Status flush() override { return file_->flush(); }
  void reclaim() override {}
  Status expand(u64 new_size) override;
  Status shrink(u64 new_size) override;

  /// Zero: raw disks have no identity.
  [[nodiscard]] Guid content_id() const override { return {}; }
  [[nodiscard]] Guid next_content_id() override { return {}; }
  Status link_parent(const ParentLink& link) override;
  Status close() override;

 private:
  /// A run of the file that is certainly not a hole reported as one. Stays true when the host
  /// punches it: stored zeros and a hole read alike.
  struct DataRun {
    u64 begin = 0;
    u64 end = 0;
  };

  [[nodiscard]] Status check_writable() const;
  Status fill_last_sector();
  [[nodiscard]] DataRun known_data() const;
  void remember_data(DataRun run) const;

  const std::shared_ptr<File> file_;
  const ImageOptions options_;
  std::atomic<u64> virtual_size_;
  std::atomic<u64> file_size_;
  std::atomic<bool> changed_ = false;
  std::mutex growing_;
  mutable std::mutex data_run_mutex_;
  mutable DataRun data_run_;
};

}  // namespace vdisk::raw
