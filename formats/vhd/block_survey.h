/// The whole BAT at once: entries that break V26 or V27, and what would put each of them right.
///
/// Check tells it, repair does it: both see the same remedies. Memory: the sorted list of blocks
/// (32 MiB at most) and a bounded list of those that share space.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "formats/vhd/block_scan.h"

namespace vdisk::vhd {

/// What puts an entry right.
enum class Remedy {
  none,
  give_up,   ///< its place cannot hold the block: the block is marked as not stored
  relocate,  ///< it shares its place with something else that is read: a copy of its own
  extend,    ///< the file was cut inside the block: the file gets its length back
};

/// An entry that is not as it should be.
struct BlockFinding {
  u64 index = 0;
  u32 sector = 0;
  bool shared = false;  ///< V27: sound but for `other_place`; else V26
  u64 other_place = 0;  ///< the block that is there, too
  Remedy remedy = Remedy::none;
};
using BlockFindingVisitor = std::function<Status(const BlockFinding&)>;

/// A repair adds at most this much to the file by giving shared blocks places of their own.
inline constexpr u64 max_relocated_bytes = 16 * gib;

class BlockSurvey {
 public:
  BlockSurvey(const File& file, const Layout& layout);

  /// Visits what is not as it should be, by ascending index. Errors: io, those of `visit`.
  Status run(const BlockFindingVisitor& visit);

  /// Sorted sector numbers of the blocks whose entries are sound.
  [[nodiscard]] const std::vector<u32>& blocks() const { return blocks_; }
  [[nodiscard]] u64 bad_count() const { return bad_count_; }
  /// Blocks that share space beyond what is listed: not visited.
  [[nodiscard]] u64 unlisted_count() const { return unlisted_count_; }

 private:
  struct Shared {
    u32 sector = 0;
    u32 other = 0;
  };
  void find_shared();
  Status visit_entry(u64 index, u32 sector, const BlockFindingVisitor& visit);
  [[nodiscard]] Remedy remedy_of_bad(u32 sector);
  [[nodiscard]] Remedy relocation();
  [[nodiscard]] const Shared* take_shared(u32 sector);

  const File& file_;
  const Layout& layout_;
  const BlockShape shape_;
  const std::vector<FileRange> core_;      ///< what no block can be read from
  const std::vector<FileRange> metadata_;  ///< what no block may lie on
  std::vector<u32> blocks_;
  std::vector<Shared> shared_;  ///< sorted by sector; of each one, how many entries are to move
  std::vector<u32> visited_;    ///< at the first of equal sectors: how many of them were visited
  u64 bad_count_ = 0;
  u64 unlisted_count_ = 0;
  u64 relocated_bytes_ = 0;
  bool extended_ = false;
};

/// Where the end footer may be moved because nothing but zeros of at least a block's size follows.
/// `blocks` are all stored blocks, sorted. Errors: io.
[[nodiscard]] Result<std::optional<u64>> find_cuttable_tail(const File& file,
                                                            const std::vector<u32>& blocks,
                                                            const Layout& layout);

}  // namespace vdisk::vhd
