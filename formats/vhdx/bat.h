/// The block allocation table: how entries are interleaved and what one says (FORMATS 2.6).
#pragma once

#include <compare>

#include "vdisk/types.h"

namespace vdisk::vhdx {

inline constexpr u32 min_block_size = mib;
inline constexpr u32 max_block_size = 256 * mib;
inline constexpr u64 max_virtual_size = 64 * tib;
inline constexpr u64 sector_bitmap_size = mib;
inline constexpr u64 sectors_per_chunk = u64{1} << 23;
inline constexpr u64 bat_entry_size = 8;
/// Payload and bitmap blocks begin at multiples of this; FileOffsetMB counts it.
inline constexpr u64 block_alignment = mib;

/// States of a payload entry; 4 and 5 are reserved.
enum class PayloadState : u8 {
  not_present = 0,        ///< ask the parent; zeros without one
  undefined = 1,          ///< zeros; may keep an old offset
  zero = 2,               ///< zeros
  unmapped = 3,           ///< zeros; may keep an old offset
  fully_present = 6,      ///< in this file
  partially_present = 7,  ///< the sector bitmap tells; differencing images only
};
/// States of a sector bitmap entry; all others are reserved.
enum class BitmapState : u8 { not_present = 0, present = 6 };

struct BatEntry {
  u8 state = 0;
  u64 file_offset = 0;  ///< multiple of 1 MiB

  [[nodiscard]] PayloadState payload_state() const { return static_cast<PayloadState>(state); }
  /// The block's bytes, or some of them, are in this file.
  [[nodiscard]] bool has_data() const {
    return payload_state() == PayloadState::fully_present ||
           payload_state() == PayloadState::partially_present;
  }
  auto operator<=>(const BatEntry&) const = default;
};

/// Bits 0-2 State, bits 20-63 FileOffsetMB; the reserved bits are written as zero.
[[nodiscard]] u64 encode(BatEntry entry);
[[nodiscard]] inline u64 encode(PayloadState state, u64 file_offset = 0) {
  return encode(BatEntry{static_cast<u8>(state), file_offset});
}
/// Drops the reserved bits.
[[nodiscard]] BatEntry decode_bat_entry(u64 raw);
/// Whether bits 3..19 are zero (X37).
[[nodiscard]] bool reserved_bits_clear(u64 raw);

struct BatGeometry {
  u64 virtual_size = 0;
  u32 block_size = 0;
  u32 logical_sector_size = 512;
  bool differencing = false;
};

/// Where the entry of a block or of a chunk's bitmap is. Values must have passed X33..X35.
class BatLayout {
 public:
  BatLayout() = default;
  explicit BatLayout(const BatGeometry& geometry);

  [[nodiscard]] u64 chunk_size() const { return chunk_ratio_ * block_size_; }
  /// Payload blocks for each sector bitmap block; a power of two.
  [[nodiscard]] u64 chunk_ratio() const { return chunk_ratio_; }
  [[nodiscard]] u64 block_size() const { return block_size_; }
  [[nodiscard]] u64 payload_block_count() const { return payload_block_count_; }
  [[nodiscard]] u64 chunk_count() const { return chunk_count_; }
  /// Entries that the table must have, bitmap slots included.
  [[nodiscard]] u64 entry_count() const { return entry_count_; }
  /// Bytes of these entries.
  [[nodiscard]] u64 byte_length() const { return entry_count_ * bat_entry_size; }

  [[nodiscard]] u64 payload_index(u64 block) const { return block + block / chunk_ratio_; }
  [[nodiscard]] u64 bitmap_index(u64 chunk) const { return (chunk + 1) * chunk_ratio_ + chunk; }
  [[nodiscard]] bool is_bitmap_index(u64 index) const {
    return index % (chunk_ratio_ + 1) == chunk_ratio_;
  }
  /// Whether a payload slot belongs to a block of the disk; behind the last one a differencing
  /// image has slots that mean nothing (X44).
  [[nodiscard]] bool is_block_index(u64 index) const {
    return !is_bitmap_index(index) && block_of_index(index) < payload_block_count_;
  }
  /// The chunk that an entry belongs to, payload or bitmap.
  [[nodiscard]] u64 chunk_of_index(u64 index) const { return index / (chunk_ratio_ + 1); }
  /// The block of a payload entry.
  [[nodiscard]] u64 block_of_index(u64 index) const { return index - chunk_of_index(index); }

  [[nodiscard]] u64 chunk_of_block(u64 block) const { return block / chunk_ratio_; }
  /// Bytes of the sector bitmap that one payload block has, and where they begin in it.
  [[nodiscard]] u64 bitmap_bytes_per_block() const { return sector_bitmap_size / chunk_ratio_; }
  [[nodiscard]] u64 bitmap_byte_of_block(u64 block) const {
    return block % chunk_ratio_ * bitmap_bytes_per_block();
  }
  /// Guest bytes of a block: the block size, less for the last one.
  [[nodiscard]] u64 payload_length(u64 block) const;

 private:
  u64 virtual_size_ = 0;
  u64 block_size_ = 1;
  u64 chunk_ratio_ = 1;
  u64 payload_block_count_ = 0;
  u64 chunk_count_ = 0;
  u64 entry_count_ = 0;
};

}  // namespace vdisk::vhdx
