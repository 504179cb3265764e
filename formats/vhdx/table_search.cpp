#include "formats/vhdx/table_search.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/layout.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Entries that are looked at to tell a BAT from other bytes.
constexpr u64 sample_size = 64 * kib;

BatLayout layout_for(const Metadata& metadata, u64 virtual_size) {
  return BatLayout({.virtual_size = virtual_size,
                    .block_size = metadata.block_size,
                    .logical_sector_size = metadata.logical_sector_size,
                    .differencing = metadata.has_parent});
}

u64 entry_at(std::span<const std::byte> bytes, u64 index) {
  return load<little_uint64_buf_t>(bytes.subspan(index * bat_entry_size)).value();
}

/// Whether these bits can be an entry at all.
bool is_legal(u64 raw) {
  constexpr u8 first_stored = static_cast<u8>(PayloadState::fully_present);
  constexpr u8 last_unstored = static_cast<u8>(PayloadState::unmapped);
  const BatEntry entry = decode_bat_entry(raw);
  if (!reserved_bits_clear(raw) || entry.file_offset >= largest_file_size) return false;
  if (entry.state >= first_stored) return entry.file_offset >= header_section_size;
  return entry.state <= last_unstored;
}

Result<bool> looks_like_bat(const File& file, u64 offset, u64 length) {
  std::vector<std::byte> bytes(std::min(length, sample_size));
  VDISK_TRY(file.read_at(offset, bytes));
  bool any_stored = false;
  for (u64 index = 0; index < bytes.size() / bat_entry_size; ++index) {
    const u64 raw = entry_at(bytes, index);
    if (!is_legal(raw)) return false;
    any_stored = any_stored || decode_bat_entry(raw).has_data();
  }
  return any_stored;
}

}  // namespace

Result<std::optional<u64>> find_metadata(const File& file, SearchRange range) {
  std::array<std::byte, metadata_signature.size()> signature{};
  const u64 end = std::min(range.end, region_search_end);
  for (u64 offset = range.begin; offset + metadata_table_size <= end; offset += region_alignment) {
    VDISK_TRY(file.read_at(offset, signature));
    if (std::ranges::equal(signature, as_bytes(metadata_signature))) return std::optional(offset);
  }
  return std::optional<u64>{};
}

Result<std::optional<u64>> find_bat(const File& file, const Metadata& metadata, SearchRange range) {
  const u64 length = layout_for(metadata, metadata.virtual_disk_size).byte_length();
  const u64 end = std::min(range.end, region_search_end);
  for (u64 offset = range.begin; lies_within(offset, length, range.begin, end);
       offset += region_alignment) {
    VDISK_ASSIGN(const bool found, looks_like_bat(file, offset, length));
    if (found) return std::optional(offset);
  }
  return std::optional<u64>{};
}

Result<u64> size_of_stored(const File& file, const Metadata& metadata, const Region& bat) {
  const BatLayout layout = layout_for(metadata, max_virtual_size);
  std::vector<std::byte> bytes(sample_size);
  u64 size = 0;
  for (u64 done = 0; done < bat.length; done += bytes.size()) {
    VDISK_TRY(file.read_at(bat.offset + done, bytes));
    for (u64 index = 0; index < bytes.size() / bat_entry_size; ++index) {
      const u64 entry = done / bat_entry_size + index;
      const bool stored = decode_bat_entry(entry_at(bytes, index)).has_data();
      if (!stored || !layout.is_block_index(entry)) continue;
      size = (layout.block_of_index(entry) + 1) * layout.block_size();
    }
  }
  return size;
}

}  // namespace vdisk::vhdx
