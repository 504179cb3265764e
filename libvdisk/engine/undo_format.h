/// The layout of an undo file, for its writer and its reader (docs/check.md). Little-endian.
///
/// A header of 4096 bytes; then pieces: a record, the checksums of what the repair may leave in
/// each sector, and the bytes that were there before it.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::undo {

inline constexpr std::string_view magic{"vdisk undo file\0", 16};
inline constexpr u64 version = 1;
inline constexpr u64 header_size = 4096;
inline constexpr u64 sector_size = 512;
/// Longest piece of the image that is kept as one.
inline constexpr u64 piece_size = 64 * kib;
inline constexpr u64 record_size = 32;
inline constexpr u64 version_size = 8;
/// A plan that writes one sector more often than this is none of ours.
inline constexpr u64 max_versions = 4096 * piece_size / sector_size;

/// Offsets of the header's fields, 8 bytes each; the checksums are in the low 4 bytes.
enum Field : u64 {
  at_version = 16,
  at_old_size = 24,
  at_new_size = 32,
  at_least_size = 40,    ///< of the image at any time during the repair
  at_largest_size = 48,  ///< the same
  at_body_size = 56,
  at_body_crc = 64,
  at_header_crc = 72,
  at_format = 80,
};
inline constexpr std::size_t format_size = 16;

using Header = std::array<std::byte, header_size>;

inline void put(std::span<std::byte> to, u64 value, std::size_t size = sizeof(u64)) {
  for (std::size_t n = 0; n < size; ++n) to[n] = static_cast<std::byte>(value >> 8 * n);
}
[[nodiscard]] inline u64 get(std::span<const std::byte> from, std::size_t size = sizeof(u64)) {
  u64 value = 0;
  for (std::size_t n = size; n-- > 0;) value = value << 8 | static_cast<u64>(from[n]);
  return value;
}
[[nodiscard]] inline u64 field(const Header& header, Field place) {
  return get(std::span(header).subspan(place));
}
[[nodiscard]] inline u32 crc_of(const Header& header) {
  return crc32c_without_field(header, at_header_crc);
}

/// A piece of the image; its sectors end at multiples of 512 of the image.
struct Piece {
  u64 offset = 0;
  u64 length = 0;
  bool old_is_zero = false;  ///< the old bytes are zeros and not stored
  u64 version_count = 0;

  [[nodiscard]] u64 end() const { return offset + length; }
  [[nodiscard]] u64 sector_count() const {
    return divide_up(end(), sector_size) - offset / sector_size;
  }
  [[nodiscard]] u64 stored_size() const {
    return record_size + version_count * version_size + (old_is_zero ? 0 : length);
  }
  /// The part of the piece's bytes that lies in its n-th sector.
  [[nodiscard]] std::span<const std::byte> sector(std::span<const std::byte> bytes, u64 n) const {
    const u64 first = (offset / sector_size + n) * sector_size;
    const u64 from = std::max(first, offset) - offset;
    return bytes.subspan(from, std::min(first + sector_size, end()) - offset - from);
  }
};

}  // namespace vdisk::undo
