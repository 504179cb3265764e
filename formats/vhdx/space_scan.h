/// Learns from the whole map which space of the file is taken, before the first change of a
/// session: an image whose blocks overlap, or name what they must not, is never written (X38..X43).
#pragma once

#include <optional>

#include "formats/vhdx/block_map.h"
#include "formats/vhdx/free_space.h"

namespace vdisk::vhdx {

class SpaceScan {
 public:
  /// Errors: corrupt, when the fixed areas overlap.
  static Result<SpaceScan> begin(const Layout& layout);

  /// Takes what the entries name: present blocks and sector bitmaps. In the order of the BAT.
  Status add(const Layout& layout, const EntryRun& run);
  /// After the last entry: every partially present block had its bitmap (X43).
  Status finish(const Layout& layout) const;

  /// Entries in states 1 and 3 may name the place where the block was (FORMATS 2.6.1).
  [[nodiscard]] bool saw_anchors() const { return saw_anchors_; }
  /// Takes those places, once everything else is known.
  void add_anchors(const Layout& layout, const EntryRun& run);
  /// False: some of them lie over other things or outside of the file; all are ignored (X40, X41).
  [[nodiscard]] bool anchors_usable() const { return anchors_usable_; }

  [[nodiscard]] const FreeSpace& space() const { return space_; }

 private:
  explicit SpaceScan(u64 file_size) : space_(file_size) {}
  Status add_payload(const Layout& layout, u64 index, u64 raw);
  Status add_bitmap(const Layout& layout, u64 index, u64 raw);
  Status take(u64 place, u64 offset, u64 length);

  FreeSpace space_;
  std::optional<u64> partial_block_;  ///< the last one seen whose chunk's bitmap is still to come
  bool saw_anchors_ = false;
  bool anchors_usable_ = true;
};

/// Whether an entry keeps the old place of a block that it does not store.
[[nodiscard]] bool is_anchor(const BatEntry& entry);

}  // namespace vdisk::vhdx
