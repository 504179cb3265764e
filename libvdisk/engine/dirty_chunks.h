/// Which parts of a disk changed, in chunks: as many as fit a bitmap of bounded size.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "engine/content.h"

namespace vdisk {

/// Threads: all functions may be called concurrently.
class DirtyChunks {
 public:
  static constexpr u64 smallest_chunk = 64 * kib;
  static constexpr u64 most_chunks = 8 * mib;  ///< bits: 1 MiB of memory, whatever the disk

  /// For a disk of `size` bytes, all of it clean.
  explicit DirtyChunks(u64 size);

  [[nodiscard]] u64 chunk_size() const { return chunk_size_; }
  /// Every chunk that the range touches; what lies behind the end of the disk is left out.
  void mark(u64 offset, u64 length) noexcept;
  /// The first dirty run at `from` (a multiple of the chunk size) or behind it, of at most `limit`
  /// bytes but never less than a chunk; it is clean from now on.
  [[nodiscard]] std::optional<GuestRange> take(u64 from, u64 limit);
  /// Bytes of all dirty chunks.
  [[nodiscard]] u64 dirty_bytes() const;

 private:
  [[nodiscard]] bool test(u64 index) const;
  [[nodiscard]] u64 next_dirty(u64 index) const;

  u64 size_;
  u64 chunk_size_;
  u64 chunk_count_;
  mutable std::mutex mutex_;
  std::vector<u64> words_;  ///< guarded by mutex_
  u64 dirty_count_ = 0;     ///< guarded by mutex_
};

}  // namespace vdisk
