/// Lookup, reservation and publication of blocks.
#include "formats/vhd/block_map.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

namespace {
constexpr u64 bits_per_page = sector_size * 8;
}  // namespace

BlockMap::BlockMap(const File& file, const Layout& layout, u64 cache_bytes)
    : differencing_(layout.footer.is(DiskType::differencing)),
      virtual_size_(layout.virtual_size),
      data_limit_(layout.footer_offset),
      shape_(block_shape(layout)),
      forbidden_(core_ranges(layout)),
      table_(file, layout.header.table_offset, layout.block_count, cache_bytes / 2),
      bitmaps_(file, {static_cast<u32>(sector_size), 0, cache_bytes / 2}) {}

Result<Extent> BlockMap::extent_at(u64 offset, u64 limit) {
  if (offset >= virtual_size_) {
    return fail(Errc::end_of_file, fmt::format("guest offset {:#x}: behind the end, expected less "
                                               "than {:#x}",
                                               offset, virtual_size_));
  }
  limit = std::min(limit, virtual_size_ - offset);
  VDISK_ASSIGN(Extent run, piece_at(offset, limit));
  while (run.state == State::absent && run.length < limit) {
    const auto next = piece_at(offset + run.length, limit - run.length);
    if (!next || next->state != State::absent) break;  // a bad block fails when it is asked for
    run.length += next->length;
  }
  return run;
}

Result<Extent> BlockMap::piece_at(u64 offset, u64 limit) {
  const u64 block = offset / shape_.block_size;
  VDISK_ASSIGN(const auto place, stored_place(block));
  if (place) return stored_piece(offset, limit, *place);
  const u64 last = (offset + limit - 1) / shape_.block_size;
  VDISK_ASSIGN(const u64 run, table_.unallocated_run(block, last - block + 1));
  const u64 end = (block + run) * shape_.block_size;
  return Extent{offset, std::min(limit, end - offset), State::absent, 0};
}

Result<Extent> BlockMap::stored_piece(u64 offset, u64 limit, u64 place) {
  const u64 inside = offset % shape_.block_size;
  Extent piece{offset, std::min(limit, shape_.block_size - inside), State::data,
               place + shape_.bitmap_bytes + inside};
  if (!differencing_) return piece;  // a clear bit means nothing there (V30)
  const u64 end = divide_up(inside + piece.length, sector_size);
  std::optional<bool> present;
  u64 sector = inside / sector_size;
  while (sector < end) {
    VDISK_ASSIGN(const auto page, bitmaps_.read(place + sector / bits_per_page * sector_size));
    const BitRange range{sector % bits_per_page, bits_in_page(sector, end)};
    if (!present) present = bit_at(page, range.first);
    if (bit_at(page, range.first) != *present) break;
    const u64 run = run_of_equal_bits(page, range);
    sector += run;
    if (run < range.count) break;
  }
  piece.length = std::min(piece.length, sector * sector_size - inside);
  if (!*present) return Extent{offset, piece.length, State::absent, 0};
  return piece;
}

Result<std::optional<u64>> BlockMap::stored_place(u64 block) {
  VDISK_ASSIGN(const u32 sector, table_.entry(block));
  if (sector == unallocated) return std::optional<u64>{};
  VDISK_TRY(validate_entry(sector, {block, table_.offset(), data_limit_}, shape_, forbidden_));
  return std::optional<u64>(u64{sector} * sector_size);
}

Result<std::optional<u64>> BlockMap::place_of(u64 block) {
  if (const auto found = reserved_.find(block); found != reserved_.end()) {
    return std::optional<u64>(found->second);
  }
  return stored_place(block);
}

void BlockMap::reserve(u64 block, u64 place) {
  bitmaps_.drop(place, shape_.bitmap_bytes);  // of an earlier block at this place
  reserved_.emplace(block, place);
}

Status BlockMap::commit(u64 block, u64 place, BitRange sectors) {
  VDISK_ASSIGN(const auto now, place_of(block));
  if (!now || *now != place) return {};
  const auto pending = reserved_.find(block);
  const bool is_new = pending != reserved_.end();
  // The bitmap of a new block of a dynamic image was written as all ones when it was reserved.
  if (differencing_ || !is_new) VDISK_TRY(commit_bits(place, sectors));
  if (!is_new) return {};
  VDISK_TRY(table_.set(block, static_cast<u32>(place / sector_size)));
  reserved_.erase(pending);
  return {};
}

Status BlockMap::commit_bits(u64 place, BitRange sectors) {
  const u64 end = sectors.first + sectors.count;
  for (u64 sector = sectors.first; sector < end;) {
    const u64 page_offset = place + sector / bits_per_page * sector_size;
    const BitRange range{sector % bits_per_page, bits_in_page(sector, end)};
    VDISK_ASSIGN(const auto page, bitmaps_.read(page_offset));
    if (!all_bits_set(page, range)) {
      VDISK_ASSIGN(const auto changed, bitmaps_.modify(page_offset));
      set_bits(changed, range);
    }
    sector += range.count;
  }
  return {};
}

Status BlockMap::release(u64 block) {
  return table_.set(block, unallocated);
}

Status BlockMap::relocate(u64 block, FileRange from, u64 to) {
  bitmaps_.drop(from.offset, shape_.bitmap_bytes);
  bitmaps_.drop(to, shape_.bitmap_bytes);  // of an earlier block at this place
  return table_.set(block, static_cast<u32>(to / sector_size));
}

u64 BlockMap::dirty_bytes() const {
  return (bitmaps_.dirty_count() + table_.pages().dirty_count()) * sector_size;
}

DirtyMetadata BlockMap::dirty() const {
  return {bitmaps_.dirty_pages(), table_.pages().dirty_pages()};
}

void BlockMap::mark_clean(const DirtyMetadata& written) {
  bitmaps_.mark_clean(written.bitmaps);
  table_.pages().mark_clean(written.table);
}

u64 BlockMap::bits_in_page(u64 first_sector, u64 limit) const {
  return std::min(limit - first_sector, bits_per_page - first_sector % bits_per_page);
}

}  // namespace vdisk::vhd
