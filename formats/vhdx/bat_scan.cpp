#include "formats/vhdx/bat_scan.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 chunk_size = 64 * kib;

/// Stored bytes [begin, end) of the table, both multiples of the entry size.
struct Run {
  u64 begin = 0;
  u64 end = 0;
};

/// The first run of stored bytes at or behind `begin`; empty at the end.
Result<Run> next_run(const File& file, u64 begin, u64 end) {
  while (begin < end) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(begin));
    if (hole.length == 0 || hole.offset >= end) return Run{begin, end};
    if (hole.offset > begin) return Run{begin, round_up(hole.offset, bat_entry_size)};
    begin = std::max(begin + bat_entry_size, round_down(hole.offset + hole.length, bat_entry_size));
  }
  return Run{end, end};
}

Status visit_chunk(std::span<const std::byte> chunk, u64 first_index, const BatVisitor& visit) {
  for (u64 place = 0; place < chunk.size(); place += bat_entry_size) {
    const u64 raw = load<little_uint64_buf_t>(chunk.subspan(place)).value();
    if (raw != 0) VDISK_TRY(visit(first_index + place / bat_entry_size, raw));
  }
  return {};
}

}  // namespace

Status scan_bat(const File& file, const Layout& layout, const BatVisitor& visit) {
  return scan_entries(file, layout, {0, layout.bat_layout.entry_count()}, visit);
}

Status scan_entries(const File& file, const Layout& layout, EntryRange range,
                    const BatVisitor& visit) {
  const u64 table = layout.regions.bat.offset;
  const u64 room = layout.regions.bat.length / bat_entry_size;
  const u64 end = table + std::min(range.end_index, room) * bat_entry_size;
  std::vector<std::byte> chunk(chunk_size);
  for (u64 place = table + range.first_index * bat_entry_size; place < end;) {
    VDISK_ASSIGN(const Run run, next_run(file, place, end));
    for (place = run.begin; place < run.end;) {
      const auto part = std::span(chunk).first(std::min(chunk_size, run.end - place));
      VDISK_TRY(file.read_at(place, part));
      VDISK_TRY(visit_chunk(part, (place - table) / bat_entry_size, visit));
      place += part.size();
    }
  }
  return {};
}

}  // namespace vdisk::vhdx
