#include "formats/vhdx/block_map.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/sector_bitmap.h"

namespace vdisk::vhdx {

namespace {

constexpr u32 page_size = 4096;
constexpr u64 bits_per_byte = 8;
constexpr u64 bits_per_page = page_size * bits_per_byte;

/// UNMAPPED of draft 0.95, without an offset: zeros, for reading only (FORMATS 5.3, quirk 33).
constexpr u64 draft_unmapped = 5;

/// A part of a bitmap that lies in one page.
struct BitPiece {
  u64 page = 0;   ///< file offset
  u64 first = 0;  ///< bit inside the page
  u64 count = 0;
};

BitPiece bit_piece(u64 bitmap_offset, u64 first_bit, u64 count) {
  const u64 first = first_bit % bits_per_page;
  return {bitmap_offset + first_bit / bits_per_page * page_size, first,
          std::min(count, bits_per_page - first)};
}

bool follows(const Extent& run, const Extent& next) {
  if (run.state != next.state) return false;
  return run.state != State::data || run.file_offset + run.length == next.file_offset;
}

}  // namespace

BlockMap::BlockMap(const File& file, Layout layout, u64 cache_bytes)
    : file_(file),
      layout_(std::move(layout)),
      cache_(file, {.page_size = page_size, .base = 0, .capacity_bytes = cache_bytes}) {}

void BlockMap::move_metadata(const Region& region, Metadata metadata) {
  layout_.regions.metadata = region;
  for (Region& known : layout_.regions.regions) {
    if (known.id == region.id) known = region;
  }
  layout_.metadata = std::move(metadata);
}

void BlockMap::resize(u64 virtual_size, const Region& bat) {
  layout_.metadata.virtual_disk_size = virtual_size;
  layout_.bat_layout = BatLayout({.virtual_size = virtual_size,
                                  .block_size = layout_.metadata.block_size,
                                  .logical_sector_size = layout_.metadata.logical_sector_size,
                                  .differencing = layout_.has_parent()});
  if (bat.offset == layout_.regions.bat.offset) return;
  cache_.drop(layout_.regions.bat.offset, layout_.regions.bat.length);
  changed_.clear();
  hole_known_ = false;
  layout_.regions.bat = bat;
  for (Region& region : layout_.regions.regions) {
    if (region.id == bat.id) region = bat;
  }
}

Result<Extent> BlockMap::extent_at(u64 offset, u64 limit) {
  const u64 end = offset + std::min(limit, layout_.metadata.virtual_disk_size - offset);
  VDISK_ASSIGN(Extent run, piece_at(offset, end));
  while (run.offset + run.length < end) {
    const auto next = piece_at(run.offset + run.length, end);
    // A bad block behind the run is the matter of whoever asks for it.
    if (!next || !follows(run, *next)) break;
    run.length += next->length;
  }
  return run;
}

Result<Extent> BlockMap::piece_at(u64 offset, u64 end) {
  const u64 block_size = layout_.bat_layout.block_size();
  const u64 block = offset / block_size;
  const u64 piece_end = std::min(end, (block + 1) * block_size);
  VDISK_ASSIGN(const u64 raw, raw_entry(layout_.bat_layout.payload_index(block)));
  if (raw == 0) return absent_run(offset, end);
  Extent piece{offset, piece_end - offset, State::zero, 0};
  if (raw == draft_unmapped) return piece;
  VDISK_ASSIGN(const BatEntry entry, validated_payload(block, raw));
  switch (entry.payload_state()) {
    case PayloadState::not_present: piece.state = State::absent; break;
    case PayloadState::fully_present:
      piece.state = State::data;
      piece.file_offset = entry.file_offset + offset % block_size;
      break;
    case PayloadState::partially_present: return bitmap_run(offset, piece_end, entry);
    default: break;
  }
  return piece;
}

/// The block's entry is zero; whole pages of such entries that are holes are passed over.
Result<Extent> BlockMap::absent_run(u64 offset, u64 end) {
  const BatLayout& bat = layout_.bat_layout;
  u64 next = bat.payload_index(offset / bat.block_size()) + 1;
  const bool at_page = (layout_.regions.bat.offset + next * bat_entry_size) % page_size == 0;
  if (at_page) {
    VDISK_ASSIGN(next, skip_holes(next, bat.entry_count()));
  }
  const u64 next_block = bat.block_of_index(next);
  const bool last = next_block >= bat.payload_block_count();
  const u64 run_end = last ? end : std::min(end, next_block * bat.block_size());
  return Extent{offset, run_end - offset, State::absent, 0};
}

Result<Extent> BlockMap::bitmap_run(u64 offset, u64 end, const BatEntry& entry) {
  const BatLayout& bat = layout_.bat_layout;
  const u64 block = offset / bat.block_size();
  const u64 sector_size = layout_.metadata.logical_sector_size;
  VDISK_ASSIGN(const u64 place, bitmap_place(block));
  const u64 first_sector = offset / sector_size;
  const u64 end_sector = divide_up(end, sector_size);
  BitRun run{};
  while (first_sector + run.count < end_sector) {
    const u64 sector = first_sector + run.count;
    const BitPiece piece = bit_piece(place, sector % sectors_per_chunk, end_sector - sector);
    VDISK_ASSIGN(const auto page, cache_.read(piece.page));
    const BitRun next = bit_run(page, piece.first, piece.count);
    if (run.count != 0 && next.set != run.set) break;
    run = {next.set, run.count + next.count};
    if (next.count != piece.count) break;
  }
  const u64 run_end = std::min(end, (first_sector + run.count) * sector_size);
  Extent extent{offset, run_end - offset, State::absent, 0};
  if (run.set) {
    extent.state = State::data;
    extent.file_offset = entry.file_offset + offset % bat.block_size();
  }
  return extent;
}

Result<u64> BlockMap::raw_entry(u64 index) {
  const u64 offset = bat_entry_offset(layout_, index);
  VDISK_ASSIGN(const auto page, cache_.read(offset));
  return load<little_uint64_buf_t>(page.subspan(offset % page_size)).value();
}

Result<BatEntry> BlockMap::validated_payload(u64 block, u64 raw) {
  return validate_payload_entry(layout_, block, raw);
}

Result<BatEntry> BlockMap::payload(u64 block) {
  VDISK_ASSIGN(const u64 raw, raw_entry(layout_.bat_layout.payload_index(block)));
  return validated_payload(block, raw);
}

Result<BatEntry> BlockMap::bitmap(u64 chunk) {
  VDISK_ASSIGN(const u64 raw, raw_entry(layout_.bat_layout.bitmap_index(chunk)));
  return validate_bitmap_entry(layout_, chunk, raw);
}

Result<u64> BlockMap::bitmap_place(u64 block) {
  VDISK_ASSIGN(const BatEntry entry, bitmap(layout_.bat_layout.chunk_of_block(block)));
  VDISK_TRY(validate_bitmap_of_partial(layout_, block, entry));
  return entry.file_offset;
}

Result<EntryRun> BlockMap::next_entries(u64 index, u64 end_index) {
  VDISK_ASSIGN(const u64 first, skip_holes(index, end_index));
  if (first >= end_index) return EntryRun{.first_index = end_index, .entries = {}};
  return entries_of_page(first, end_index);
}

Result<EntryRun> BlockMap::entries_of_page(u64 index, u64 end_index) {
  EntryRun run{.first_index = index, .entries = {}};
  const u64 offset = bat_entry_offset(layout_, index);
  VDISK_ASSIGN(const auto page, cache_.read(offset));
  const u64 in_page = (page_size - offset % page_size) / bat_entry_size;
  const u64 count = std::min(in_page, end_index - index);
  run.entries.reserve(count);
  for (u64 place = offset % page_size; run.entries.size() < count; place += bat_entry_size) {
    run.entries.push_back(load<little_uint64_buf_t>(page.subspan(place)).value());
  }
  return run;
}

EntryRun EntryRun::zeros(u64 index, u64 end_index) {
  constexpr u64 entries_per_page = page_size / bat_entry_size;
  return {index, std::vector<u64>(std::min(entries_per_page, end_index - index))};
}

Result<u64> BlockMap::skip_holes(u64 index, u64 end_index) {
  const u64 bat_offset = layout_.regions.bat.offset;
  while (index < end_index) {
    const u64 page = round_down(bat_entry_offset(layout_, index), page_size);
    VDISK_ASSIGN(const Hole hole, hole_from(page));
    if (hole.length == 0 || hole.offset > page) return index;
    u64 stop = round_down(hole.offset + hole.length, page_size);
    const auto changed = changed_.lower_bound(page);
    if (changed != changed_.end()) stop = std::min(stop, *changed);
    if (stop <= page) return index;
    index = (stop - bat_offset) / bat_entry_size;
  }
  return end_index;
}

Result<Hole> BlockMap::hole_from(u64 offset) {
  const bool covered = known_hole_.length == 0 || offset < known_hole_.offset + known_hole_.length;
  if (!hole_known_ || offset < hole_asked_from_ || !covered) {
    VDISK_ASSIGN(known_hole_, file_.next_hole(offset));
    hole_asked_from_ = offset;
    hole_known_ = true;
  }
  return known_hole_;
}

Status BlockMap::set_entry(u64 index, BatEntry entry) {
  const u64 offset = bat_entry_offset(layout_, index);
  VDISK_ASSIGN(const auto page, cache_.modify(offset));
  store(page.subspan(offset % page_size), little_uint64_buf_t{encode(entry)});
  changed_.insert(round_down(offset, page_size));
  return {};
}

Status BlockMap::set_payload(u64 block, PayloadState state, u64 file_offset) {
  return set_entry(layout_.bat_layout.payload_index(block), {static_cast<u8>(state), file_offset});
}

Result<bool> BlockMap::set_sectors(const BlockSectors& sectors, bool set) {
  VDISK_ASSIGN(const u64 place, bitmap_place(sectors.block));
  const u64 first_bit =
      layout_.bat_layout.bitmap_byte_of_block(sectors.block) * bits_per_byte + sectors.first;
  bool changed = false;
  for (u64 done = 0; done < sectors.count;) {
    const BitPiece piece = bit_piece(place, first_bit + done, sectors.count - done);
    VDISK_ASSIGN(const auto page, cache_.read(piece.page));
    const BitRun run = bit_run(page, piece.first, piece.count);
    if (run.set != set || run.count != piece.count) {
      VDISK_ASSIGN(const auto writable, cache_.modify(piece.page));
      fill_bits(writable, piece.first, piece.count, set);
      changed = true;
    }
    done += piece.count;
  }
  return changed;
}

std::vector<DirtyPage> BlockMap::dirty_pages() const {
  const Region& bat = layout_.regions.bat;
  auto pages = cache_.dirty_pages();
  const auto in_bat = [&bat](const DirtyPage& page) {
    return lies_within(page.offset, page_size, bat.offset, bat.offset + bat.length);
  };
  std::ranges::sort(pages, [&in_bat](const DirtyPage& a, const DirtyPage& b) {
    if (in_bat(a) != in_bat(b)) return in_bat(b);
    return in_bat(a) ? a.offset > b.offset : a.offset < b.offset;
  });
  return pages;
}

void BlockMap::written(std::span<const DirtyPage> pages) {
  cache_.mark_clean(pages);
  for (const DirtyPage& page : pages) changed_.erase(page.offset);
  hole_known_ = false;
}

}  // namespace vdisk::vhdx
