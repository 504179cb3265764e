/// Takes numbers and bytes off the front of a fuzzer's input; zeros once it has ended, so that
/// every byte string is a valid input.
#pragma once

#include <algorithm>
#include <span>

#include "vdisk/types.h"

namespace vdisk::fuzz {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> rest) : rest_(rest) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  /// Fewer where the input ends.
  std::span<const std::byte> bytes(std::size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// Little-endian, of `size` bytes.
  u64 number(std::size_t size) {
    u64 value = 0;
    std::size_t shift = 0;
    for (const std::byte byte : bytes(size)) {
      value |= std::to_integer<u64>(byte) << shift;
      shift += 8;
    }
    return value;
  }
  u8 byte() { return static_cast<u8>(number(1)); }
  std::span<const std::byte> rest() { return bytes(rest_.size()); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace vdisk::fuzz
