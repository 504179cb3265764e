#include "formats/vhd/block_guess.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/block_table.h"

namespace vdisk::vhd {

namespace {

constexpr u32 usual_sizes[] = {2 * mib, 512 * kib};

/// Whether the entries that a table of blocks of this size has are sound, and some are in use.
Result<bool> fits(const File& file, const TableGuess& table, u32 block_size) {
  const u64 count = divide_up(table.current_size, block_size);
  const u64 length = table_bytes(static_cast<u32>(count));
  if (count > max_block_count || !lies_within(table.table_offset, length, 0, table.data_end)) {
    return false;
  }
  std::vector<u64> places;
  VDISK_TRY(for_each_entry(file, table.table_offset, count, [&places](u64, u32 sector) {
    if (sector != unallocated) places.push_back(u64{sector} * sector_size);
    return Status();
  }));
  std::ranges::sort(places);
  u64 free_from = table.table_offset + length;
  for (const u64 place : places) {
    if (place < free_from) return false;
    free_from = place + bitmap_bytes(block_size) + block_size;
  }
  return !places.empty() && free_from <= table.data_end;
}

}  // namespace

Result<std::optional<u32>> guess_block_size(const File& file, const TableGuess& table,
                                            std::optional<u32> hint) {
  if (hint) {
    const bool legal =
        std::has_single_bit(*hint) && *hint >= min_block_size && *hint <= max_block_size;
    return legal ? hint : std::optional<u32>{};
  }
  for (const u32 size : usual_sizes) {
    VDISK_ASSIGN(const bool good, fits(file, table, size));
    if (good) return std::optional(size);
  }
  for (u32 size = max_block_size; size >= min_block_size; size /= 2) {
    VDISK_ASSIGN(const bool good, fits(file, table, size));
    if (good) return std::optional(size);
  }
  return std::optional<u32>{};
}

}  // namespace vdisk::vhd
