/// A VHDX as an Image: map, write session, allocation, group-committed flush (DESIGN section 4).
///
/// Locks, always taken in this order: flush (one flush, expand or link at a time), begin (session
/// start), metadata (map, allocator, quarantine). Readers and writers need the metadata lock only;
/// no payload I/O and no flush happens under it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "formats/last_places.h"
#include "formats/vhdx/block_allocator.h"
#include "formats/vhdx/block_map.h"
#include "formats/vhdx/journal.h"
#include "formats/vhdx/quarantine.h"
#include "vdisk/format.h"
#include "vdisk/metadata.h"

namespace vdisk::vhdx {

/// Opens a VHDX whose log is clean. Errors: those of read_layout().
[[nodiscard]] Result<std::unique_ptr<Image>> open_image(std::shared_ptr<File> file,
                                                        const ImageOptions& options);

class VhdxImage final : public Image, private BlockStore {
 public:
  VhdxImage(std::shared_ptr<File> file, Layout layout, const ImageOptions& options);

  [[nodiscard]] Geometry geometry() const override;
  [[nodiscard]] File& file() const override { return *file_; }
  [[nodiscard]] ImageInfo info() const override;
  [[nodiscard]] Result<BlockCounts> count_blocks() const override;
  [[nodiscard]] Result<Extent> extent_at(u64 offset, u64 limit) const override;

  Result<Extent> reserve(u64 offset, u64 limit) override;
  Status commit(const Extent& written) override;
  Result<u64> discard(u64 offset, u64 length, State to) override;
  Status flush() override;
  void reclaim() override;
  Status expand(u64 new_size) override;
  Status shrink(u64 new_size) override;
  [[nodiscard]] Guid content_id() const override { return journal_.content_id(); }
  [[nodiscard]] Guid next_content_id() override { return journal_.next_content_id(); }
  Status link_parent(const ParentLink& link) override;
  [[nodiscard]] BlockStore* block_store() override { return is_fixed() ? nullptr : this; }
  Status change_description(const DescriptionChange& change) override;
  [[nodiscard]] MetadataItems* metadata_items() override;
  Status close() override;

 private:
  using MetadataLock = std::unique_lock<std::mutex>;
  struct Epoch;
  struct Piece;

  // Arguments and state.
  [[nodiscard]] Status require_writable() const;
  [[nodiscard]] Status require_range(u64 offset, u64 length) const;
  [[nodiscard]] bool is_fixed() const;

  // Session (image_session.cpp).
  Status begin(Visibility visibility);
  Status begin_maintenance();
  Status learn_space();
  Status flush_when_many_dirty();
  Status flush_locked(std::span<const DirtyPage> last_pages = {});
  Epoch take_epoch(std::span<const DirtyPage> last_pages);
  void finish_epoch(const Epoch& epoch, bool durable);
  void give_back(const std::vector<FreedRange>& ranges);
  Status cut_spare_room();

  // Reserve, commit (image_write.cpp) and discard (image_discard.cpp), under the metadata lock.
  [[nodiscard]] Piece piece_of(u64 offset, u64 end) const;
  Result<u64> place_of(u64 block, MetadataLock& lock);
  Status commit_piece(const Piece& piece, u64 file_offset);
  Status install(const Piece& piece, const BatEntry& entry, u64 file_offset);
  Status install_partial(const Piece& piece, const PendingBlock& pending);
  Status commit_sectors(const Piece& piece);
  Status ensure_bitmap(u64 chunk);
  [[nodiscard]] BlockSectors sectors_of(const Piece& piece) const;
  Result<u64> discard_piece(u64 offset, u64 end, State to);
  Status drop_block(u64 block, State to);

  // BlockStore (image_pack.cpp).
  struct PlannedMove {
    BlockMove move;
    u64 index = 0;  ///< of the entry that names it
    u8 state = 0;
  };
  Result<std::optional<StoredBlock>> next_block(u64 offset) override;
  Result<bool> give_up(u64 offset, State as) override;
  Status give_up_unused() override;
  Result<std::optional<BlockMove>> plan_move() override;
  Status commit_move(const BlockMove& move) override;
  Result<UnusedSpace> unused_space() override;
  Result<std::optional<NamedPlace>> last_place();
  Status find_last_places();
  Status plan_move_of(const NamedPlace& place);
  Result<bool> visit_unused_entries(bool clear);
  [[nodiscard]] bool is_unused_bitmap(const BatEntry& entry, bool needed) const;
  Status clear_unused(u64 index, const BatEntry& entry);
  // Metadata items (image_items.cpp), under the flush lock.
  class Items;
  struct ItemEdit;
  Status apply_items(const ItemEdit& edit);
  Status grow_metadata(const ItemEdit& edit);
  Status write_grown_metadata(const ItemEdit& edit, const Region& grown);

  // Expand (image_expand.cpp) and link (image_link.cpp), under the flush lock.
  struct Growth;
  [[nodiscard]] Status validate_new_size(u64 new_size) const;
  [[nodiscard]] Status validate_smaller_size(u64 new_size) const;
  Status give_up_behind_end(const BatLayout& old_bat);
  Status give_up_entry_behind_end(u64 index, u64 raw);
  Status zero_behind_old_end();
  Status fill_new_entries(const Growth& growth);
  Status move_bat(Growth& growth);
  Status move_bat_down();
  Status write_bat_copy(const Growth& growth);
  [[nodiscard]] Result<std::vector<DirtyPage>> growth_pages(const Growth& growth) const;

  const std::shared_ptr<File> file_;
  const ImageOptions options_;
  const u64 dirty_limit_;  ///< dirty pages that make a write flush first
  u64 fixed_room_;         ///< a fixed disk's file is not cut below this
  mutable Journal journal_;

  std::unique_ptr<MetadataItems> items_;

  std::mutex begin_mutex_;
  std::mutex flush_mutex_;
  u64 flushed_ticket_ = 0;  ///< guarded by flush_mutex_: tickets up to it are durable
  std::atomic<u64> next_ticket_ = 0;

  mutable std::mutex mutex_;  ///< the metadata lock: everything below
  mutable BlockMap map_;
  std::optional<BlockAllocator> allocator_;  ///< none before the first change of guest data
  Quarantine quarantine_;
  std::optional<LastPlaces> last_places_;  ///< of blocks; none before the first plan_move()
  std::optional<PlannedMove> planned_move_;
  bool payload_first_ = false;  ///< a dirty page names payload that must be durable before it
  bool closed_ = false;
};

}  // namespace vdisk::vhdx
