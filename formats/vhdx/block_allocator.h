/// Places for new blocks, and the size of the file that goes with them.
///
/// A pending block has a place that no BAT entry names yet: payload may be written to it, and it
/// is shared by all who write into the same absent block until a commit installs it.
/// Threads: none of its own; the image's metadata lock guards it. Only zeroing is done without it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "formats/vhdx/block_map.h"
#include "formats/vhdx/free_space.h"

namespace vdisk::vhdx {

struct PendingBlock {
  u64 file_offset = 0;
  bool recycled = false;  ///< its old bytes were zeroed: must be durable before it is named
  /// Recycled space only: false while somebody is zeroing it, waited for without the lock.
  std::shared_ptr<std::atomic<bool>> zeroed = {};
};

class BlockAllocator {
 public:
  /// What a session learned about the file's space (SpaceScan).
  struct Start {
    FreeSpace space;
    bool anchors_usable = false;
  };
  BlockAllocator(File& file, BlockMap& map, Start start);

  /// The pending place of a payload block that has none in the map, which reads as zeros; made
  /// when there is none yet. `lock` is released while recycled space is zeroed, and while another
  /// thread does that: the caller looks at the map again. Empty: it has to look again.
  Result<std::optional<u64>> place_for(u64 block, const BatEntry& entry,
                                       std::unique_lock<std::mutex>& lock);
  /// Takes the pending block out, to be installed; empty when there is none.
  [[nodiscard]] std::optional<PendingBlock> take_pending(u64 block, u64 file_offset);
  [[nodiscard]] bool has_pending(u64 block) const { return pending_.contains(block); }
  /// Gives all pending places back: nobody is writing any more.
  void drop_pending();

  /// Space for a structure of our own; the file covers it. Errors: those of File::resize.
  Result<Place> allocate(u64 length);
  /// The same at the end of the file: reads as zeros.
  Result<u64> append(u64 length);
  /// A hole that ends at or before `limit`, for bytes that replace everything there.
  [[nodiscard]] std::optional<u64> allocate_below(u64 length, u64 limit) {
    return space_.allocate_below(length, limit);
  }
  void release(u64 offset, u64 length) { space_.release(offset, length); }
  /// Whether the place that an entry in state 1 or 3 remembers is still kept for it.
  [[nodiscard]] bool keeps_anchor(const BatEntry& entry) const;
  [[nodiscard]] u64 used_end() const { return space_.used_end(); }
  [[nodiscard]] u64 unused_bytes() const { return space_.unused_bytes(); }

 private:
  Result<Place> choose(const BatEntry& entry);
  Status grow_to(u64 end);
  Result<std::optional<u64>> zero_pending(u64 block, const BatEntry& entry,
                                          std::unique_lock<std::mutex>& lock);

  File& file_;
  BlockMap& map_;
  FreeSpace space_;
  const bool anchors_usable_;
  std::unordered_map<u64, PendingBlock> pending_;
};

}  // namespace vdisk::vhdx
