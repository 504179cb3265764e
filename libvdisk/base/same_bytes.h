/// Equality of bytes at the speed of memory: the standard algorithms compare std::byte one by one.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>

namespace vdisk {

[[nodiscard]] inline bool same_bytes(std::span<const std::byte> a,
                                     std::span<const std::byte> b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace vdisk
