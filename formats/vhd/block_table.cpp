/// Reading and changing BAT entries.
#include "formats/vhd/block_table.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

namespace {

constexpr u64 entry_size = sizeof(u32);
constexpr u64 entries_per_sector = sector_size / entry_size;
constexpr u64 scan_piece = 64 * kib;

u32 load_entry(std::span<const std::byte> bytes, u64 index) {
  return load<big_uint32_buf_t>(bytes.subspan(index * entry_size)).value();
}

bool is_unallocated(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0xFF}; });
}

Status entry_fault(Errc code, const EntryPlace& place, u64 offset, const std::string& what) {
  const u64 at = place.table_offset + place.index * entry_size;
  return fail_at(
      at, code,
      fmt::format("BAT entry {} at {:#x}: block at {:#x} {}", place.index, at, offset, what));
}

}  // namespace

BlockShape block_shape(const Layout& layout) {
  return {bitmap_bytes(layout.header.block_size), layout.header.block_size};
}

bool is_sound_entry(u32 sector, u64 data_limit, const BlockShape& shape,
                    std::span<const FileRange> forbidden) {
  const u64 offset = u64{sector} * sector_size;
  return lies_within(offset, shape.footprint(), 0, data_limit) &&
         std::ranges::none_of(forbidden, [&](const FileRange& range) {
           return overlaps(offset, shape.footprint(), range.offset, range.length);
         });
}

Status validate_entry(u32 sector, const EntryPlace& place, const BlockShape& shape,
                      std::span<const FileRange> forbidden) {
  const u64 offset = u64{sector} * sector_size;
  if (offset >= place.data_limit) {
    return entry_fault(
        Errc::bat_invalid, place, offset,
        fmt::format("begins behind the data, expected one before {:#x}", place.data_limit));
  }
  for (const FileRange& range : forbidden) {
    if (!overlaps(offset, shape.footprint(), range.offset, range.length)) continue;
    return entry_fault(
        Errc::bat_invalid, place, offset,
        fmt::format("overlaps the metadata at {:#x}, expected free space", range.offset));
  }
  if (shape.footprint() > place.data_limit - offset) {
    return entry_fault(Errc::file_size_invalid, place, offset,
                       fmt::format("ends at {:#x}, expected at most {:#x}",
                                   offset + shape.footprint(), place.data_limit));
  }
  return {};
}

Status for_each_entry(const File& file, u64 table_offset, u64 count, const EntryVisitor& visit) {
  std::vector<std::byte> buffer(std::min(scan_piece, count * entry_size));
  for (u64 index = 0; index < count;) {
    const u64 entries = std::min(count - index, buffer.size() / entry_size);
    const auto piece = std::span(buffer).first(entries * entry_size);
    VDISK_TRY(file.read_at(table_offset + index * entry_size, piece));
    for (u64 n = 0; n < entries; ++n, ++index) VDISK_TRY(visit(index, load_entry(piece, n)));
  }
  return {};
}

BlockTable::BlockTable(const File& file, u64 table_offset, u64 count, u64 cache_bytes)
    : table_offset_(table_offset),
      count_(count),
      pages_(file, {static_cast<u32>(sector_size), table_offset % sector_size, cache_bytes}) {}

Result<u32> BlockTable::entry(u64 index) {
  const u64 offset = table_offset_ + index * entry_size;
  VDISK_ASSIGN(const auto page, pages_.read(offset));
  return load_entry(page, index % entries_per_sector);
}

Status BlockTable::set(u64 index, u32 sector) {
  const u64 offset = table_offset_ + index * entry_size;
  VDISK_ASSIGN(const auto page, pages_.modify(offset));
  store(page.subspan(index % entries_per_sector * entry_size), big_uint32_buf_t(sector));
  return {};
}

Result<u64> BlockTable::unallocated_run(u64 index, u64 limit) {
  limit = std::min(limit, count_ - index);
  u64 run = 0;
  while (run < limit) {
    const u64 first = (index + run) % entries_per_sector;
    const u64 entries = std::min(limit - run, entries_per_sector - first);
    VDISK_ASSIGN(const auto page, pages_.read(table_offset_ + (index + run) * entry_size));
    if (is_unallocated(page.subspan(first * entry_size, entries * entry_size))) {
      run += entries;
      continue;
    }
    for (u64 n = first; load_entry(page, n) == unallocated; ++n) ++run;
    break;
  }
  return std::min(run, limit);
}

Result<u64> BlockTable::allocated_count() {
  u64 allocated = 0;
  for (u64 index = 0; index < count_; ++index) {
    VDISK_ASSIGN(const u64 absent, unallocated_run(index, count_ - index));
    index += absent;
    if (index < count_) ++allocated;
  }
  return allocated;
}

}  // namespace vdisk::vhd
