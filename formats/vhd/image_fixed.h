/// A fixed image: the disk's bytes, then the footer. The map is the identity.
#pragma once

#include <memory>
#include <mutex>

#include "formats/vhd/layout.h"
#include "vdisk/format.h"
#include "vdisk/image.h"

namespace vdisk::vhd {

class FixedImage final : public Image {
 public:
  FixedImage(std::shared_ptr<File> file, const ImageOptions& options, Survey survey);

  [[nodiscard]] Geometry geometry() const override;
  [[nodiscard]] File& file() const override { return *file_; }
  [[nodiscard]] ImageInfo info() const override;
  [[nodiscard]] Result<BlockCounts> count_blocks() const override { return BlockCounts{}; }
  [[nodiscard]] Result<Extent> extent_at(u64 offset, u64 limit) const override;
  Result<Extent> reserve(u64 offset, u64 limit) override;
  Status commit(const Extent& written) override;
  Result<u64> discard(u64 offset, u64 length, State to) override;
  Status flush() override;
  void reclaim() override {}
  /// Crash: the footer moves behind the new end with its old content first. The new one is written
  /// before it, and counts from the instant when the file is cut between the two: no footer is ever
  /// overwritten, since it has no copy.
  Status expand(u64 new_size) override;
  /// Crash: the footer of the new size is written behind the old one, before a copy of it, and
  /// counts when the file is cut between the two; then the same once more at the end of the disk.
  /// No footer is ever overwritten.
  Status shrink(u64 new_size) override;
  [[nodiscard]] Guid content_id() const override { return layout_.footer.unique_id; }
  [[nodiscard]] Guid next_content_id() override { return content_id(); }
  Status link_parent(const ParentLink& link) override;
  Status change_description(const DescriptionChange& change) override;
  Status close() override;

 private:
  [[nodiscard]] bool writable() const { return options_.access == Access::read_write; }
  [[nodiscard]] u64 size() const;
  Status close_gap();
  Status cut_to_footer(u64 offset, const Footer& footer);
  Status move_footer(u64 new_offset);

  std::shared_ptr<File> file_;
  ImageOptions options_;
  std::vector<Warning> warnings_;
  mutable std::mutex mutex_;  // layout_
  Layout layout_;
};

}  // namespace vdisk::vhd
