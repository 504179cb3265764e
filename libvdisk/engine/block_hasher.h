/// The digest of one block, fed in pieces.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "vdisk/operations.h"

namespace vdisk {

class BlockHasher {
 public:
  explicit BlockHasher(DigestAlgorithm algorithm);
  BlockHasher(const BlockHasher&) = delete;
  BlockHasher& operator=(const BlockHasher&) = delete;
  ~BlockHasher();

  void add(std::span<const std::byte> bytes);
  void add_zeros(u64 count);
  /// The digest of what was added since the last call; shorter ones are filled up with zeros.
  [[nodiscard]] std::array<u8, 32> take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vdisk
