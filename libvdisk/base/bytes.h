/// Bytes: the only place where memory is reinterpreted.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "vdisk/types.h"

namespace vdisk {

/// The bytes of an on-disk structure. T is built of Boost.Endian buffers and byte arrays.
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<const std::byte, sizeof(T)> bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span<const T, 1>(&value, 1));
}
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<std::byte, sizeof(T)> writable_bytes_of(T& value) noexcept {
  return std::as_writable_bytes(std::span<T, 1>(&value, 1));
}

/// Copies a structure out of a buffer. Requires from.size() >= sizeof(T).
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] T load(std::span<const std::byte> from) noexcept {
  T value;
  std::memcpy(static_cast<void*>(&value), from.data(), sizeof(T));
  return value;
}
/// Copies a structure into a buffer. Requires to.size() >= sizeof(T).
template <class T>
  requires std::is_trivially_copyable_v<T>
void store(std::span<std::byte> to, const T& value) noexcept {
  std::memcpy(to.data(), static_cast<const void*>(&value), sizeof(T));
}

/// Whether a field holds exactly this ASCII text.
template <std::size_t N>
[[nodiscard]] bool equals_text(const std::array<char, N>& field, std::string_view text) noexcept {
  return text.size() == N && std::equal(field.begin(), field.end(), text.begin());
}

[[nodiscard]] inline std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Arithmetic on values from a file: empty instead of wrapping.
[[nodiscard]] constexpr std::optional<u64> checked_add(u64 a, u64 b) noexcept {
  if (b > std::numeric_limits<u64>::max() - a) return std::nullopt;
  return a + b;
}
[[nodiscard]] constexpr std::optional<u64> checked_mul(u64 a, u64 b) noexcept {
  if (b != 0 && a > std::numeric_limits<u64>::max() / b) return std::nullopt;
  return a * b;
}
/// Whether [offset, offset + length) lies inside [begin, end), without overflow.
[[nodiscard]] constexpr bool lies_within(u64 offset, u64 length, u64 begin, u64 end) noexcept {
  return offset >= begin && offset <= end && length <= end - offset;
}
[[nodiscard]] constexpr bool overlaps(u64 a, u64 a_length, u64 b, u64 b_length) noexcept {
  return a_length != 0 && b_length != 0 && (a < b ? b - a < a_length : a - b < b_length);
}

/// Rounding to a multiple of a power of two. round_up requires value <= 2^64 - alignment.
[[nodiscard]] constexpr u64 round_down(u64 value, u64 alignment) noexcept {
  return value & ~(alignment - 1);
}
[[nodiscard]] constexpr u64 round_up(u64 value, u64 alignment) noexcept {
  return round_down(value + alignment - 1, alignment);
}
[[nodiscard]] constexpr u64 divide_up(u64 value, u64 divisor) noexcept {
  return value / divisor + (value % divisor != 0 ? 1 : 0);
}
[[nodiscard]] constexpr bool is_aligned(u64 value, u64 alignment) noexcept {
  return value % alignment == 0;
}

}  // namespace vdisk
