/// XXH3-128 over a binary tree of chunks, so that a hole of terabytes costs a few dozen hashes.
///
/// The disk is cut into chunks of 1 MiB (the last may be shorter). A leaf of the tree is the
/// XXH3-128 of its chunk; a node is the XXH3-128 of its two children's 16-byte canonical
/// (big-endian) digests; complete subtrees are joined from right to left. The digest of the disk is
/// the XXH3-128 of the root's digest followed by the virtual size as 8 bytes, little-endian.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "vdisk/types.h"

namespace vdisk {

/// Bytes in lower-case hex.
[[nodiscard]] std::string hex_text(std::span<const u8> bytes);

class DigestTree {
 public:
  static constexpr u64 chunk_size = mib;
  using Value = std::array<u8, 16>;

  DigestTree();
  /// Adds the next chunk: chunk_size bytes, or fewer for the last one.
  void add_chunk(std::span<const std::byte> chunk);
  /// Adds chunks of zeros.
  void add_zero_chunks(u64 count);
  /// The digest of everything added, in lower-case hex.
  [[nodiscard]] std::string finish(u64 virtual_size) const;

 private:
  struct Subtree {
    unsigned height;  ///< it covers 2^height chunks
    Value digest;
  };
  void add(Subtree subtree);

  std::vector<Subtree> stack_;       ///< heights fall from bottom to top
  std::array<Value, 64> zero_tree_;  ///< digest of 2^height chunks of zeros
};

}  // namespace vdisk
