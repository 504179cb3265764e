/// The blocks of an image as things that can be given up and moved: what compaction works on.
#pragma once

#include <optional>

#include "vdisk/error.h"
#include "vdisk/extent.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// A block that the file stores.
struct StoredBlock {
  u64 offset = 0;      ///< guest bytes that it covers
  u64 length = 0;      ///< less than the block size at the end of the disk
  u64 file_bytes = 0;  ///< what the file spends on it
};

/// A structure that could lie nearer to the beginning of the file. All values are file bytes.
struct BlockMove {
  u64 from = 0;
  u64 to = 0;
  u64 length = 0;
  auto operator<=>(const BlockMove&) const = default;
};

/// Bytes of the file that nothing uses.
struct UnusedSpace {
  u64 inside = 0;  ///< between structures, where a block fits: holes, leaks
  u64 at_end = 0;  ///< behind the last structure
};

/// Maintenance: how content is stored changes, never the content. Content ids stay, so that
/// children stay valid.
/// Threads: one at a time, and nobody else uses the image meanwhile.
/// Crash: as Image; every block is where it was until flush() returns, or where it was moved to.
class BlockStore {
 public:
  BlockStore() = default;
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  /// The first stored block that begins at or behind a guest offset.
  virtual Result<std::optional<StoredBlock>> next_block(u64 offset) = 0;
  /// Gives the space of a stored block up. The caller has made sure that the guest reads the same
  /// afterwards: `as` zero - zeros, `as` absent - what the parents hold. False: the map cannot say
  /// that, and nothing has changed.
  virtual Result<bool> give_up(u64 offset, State as) = 0;
  /// Gives up what is kept for nobody: remembered places of old blocks, bitmaps without a block.
  virtual Status give_up_unused() = 0;

  /// A move of the last structure of the file to free space before it; the space is kept for it.
  /// Empty: nothing can move, or not before what was freed has passed flush() and reclaim().
  virtual Result<std::optional<BlockMove>> plan_move() = 0;
  /// The bytes of the planned move were copied: the map names the new place from now on, and the
  /// old one is free as after a discard.
  virtual Status commit_move(const BlockMove& move) = 0;

  virtual Result<UnusedSpace> unused_space() = 0;

 protected:
  ~BlockStore() = default;
};

}  // namespace vdisk
#pragma GCC visibility pop
