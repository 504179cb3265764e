/// A dynamic or differencing image.
///
/// Crash order (DESIGN section 4): the end footer stands at the new end, durable, before the file
/// is used up to there; payload and bitmaps of new blocks are durable before the BAT names them;
/// bits of a differencing image are set after their payload is durable. The last 512 bytes are a
/// valid footer at every instant, except one torn while growing, for which there is the copy at 0.
///
/// Locks, in the order in which they are taken: flush_mutex_ (one flush at a time),
/// allocation_mutex_ (free space), map_mutex_ (map and layout). No file is flushed, and no payload
/// moved, under map_mutex_.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "formats/last_places.h"
#include "formats/vhd/block_map.h"
#include "formats/vhd/free_space.h"
#include "formats/vhd/parent_locators.h"
#include "vdisk/format.h"
#include "vdisk/image.h"

namespace vdisk::vhd {

class SparseImage final : public Image, private BlockStore {
 public:
  SparseImage(std::shared_ptr<File> file, const ImageOptions& options, Survey survey);

  [[nodiscard]] Geometry geometry() const override;
  [[nodiscard]] File& file() const override { return *file_; }
  [[nodiscard]] ImageInfo info() const override;
  [[nodiscard]] Result<BlockCounts> count_blocks() const override;
  [[nodiscard]] Result<Extent> extent_at(u64 offset, u64 limit) const override;
  /// Errors: bat_invalid when the BAT breaks V26 or V27, found by one scan before the first write.
  Result<Extent> reserve(u64 offset, u64 limit) override;
  Status commit(const Extent& written) override;
  Result<u64> discard(u64 offset, u64 length, State to) override;
  Status flush() override;
  void reclaim() override;
  Status expand(u64 new_size) override;
  Status shrink(u64 new_size) override;
  [[nodiscard]] Guid content_id() const override;
  [[nodiscard]] Guid next_content_id() override { return content_id(); }
  Status link_parent(const ParentLink& link) override;
  Status change_description(const DescriptionChange& change) override;
  [[nodiscard]] BlockStore* block_store() override { return this; }
  Status close() override;

 private:
  [[nodiscard]] bool crash_safe() const { return options_.durability == Durability::crash_safe; }
  [[nodiscard]] Status check_writable() const;
  [[nodiscard]] Layout layout() const;
  [[nodiscard]] Result<std::optional<u64>> find_place(u64 block) const;
  [[nodiscard]] Extent payload_extent(u64 offset, u64 limit, u64 place) const;

  // image_sparse_allocate.cpp; allocation_mutex_ is held
  Status know_free_space();
  Result<u64> allocate_block();
  Result<u64> take_block_space();
  Status initialise_block(u64 place);
  Status grow(u64 needed);
  Status move_end_footer(u64 new_offset);
  Result<u64> discard_blocks(u64 first, u64 count);

  // BlockStore (image_sparse_pack.cpp)
  struct PlannedMove {
    BlockMove move;
    u64 block = 0;
  };
  Result<std::optional<StoredBlock>> next_block(u64 offset) override;
  Result<bool> give_up(u64 offset, State as) override;
  /// Nothing is kept for nobody here.
  Status give_up_unused() override { return {}; }
  Result<std::optional<BlockMove>> plan_move() override;
  Status commit_move(const BlockMove& move) override;
  Result<UnusedSpace> unused_space() override;
  Result<std::optional<NamedPlace>> last_place();
  Status find_last_places();
  Status flush_when_many_dirty();

  // image_sparse_flush.cpp
  Status flush_file();
  Status write_metadata();
  Status write_snapshot(const DirtyMetadata& dirty);
  Status cut_tail();

  // image_sparse_resize.cpp; flush_mutex_ and allocation_mutex_ are held
  Status settle_before_change();
  Status clear_behind_end(const Layout& old_layout);
  Result<u64> first_use_behind_table();
  Status expand_in_place(Layout& next);
  Status expand_by_new_table(Layout& next);
  Result<u64> append_metadata(u64 length);
  Status store_link(Layout& next, const std::vector<EncodedLocator>& locators);
  Status switch_to(Layout next);
  Status give_up_behind_end(u64 old_count);

  std::shared_ptr<File> file_;
  ImageOptions options_;
  std::vector<Warning> warnings_;
  std::atomic<bool> failed_ = false;          // a flush failed: nothing more is written
  std::atomic<bool> space_is_known_ = false;  // free_ is set

  std::mutex flush_mutex_;
  std::mutex allocation_mutex_;
  std::optional<FreeSpace> free_;          // empty until the first change
  std::vector<FileRange> freed_;           // since the last flush
  std::vector<FileRange> durably_freed_;   // waiting for reclaim
  u64 known_zero_from_ = 0;                // free space behind this reads as zeros
  std::optional<LastPlaces> last_places_;  // none before the first plan_move
  std::optional<PlannedMove> planned_move_;
  mutable std::mutex map_mutex_;
  Layout layout_;
  mutable std::unique_ptr<BlockMap> map_;
};

}  // namespace vdisk::vhd
