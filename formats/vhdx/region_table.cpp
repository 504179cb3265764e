#include "formats/vhdx/region_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/same_bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

constexpr u32 required_flag = 1;

using Copy = std::vector<std::byte>;

bool is_valid_copy(const Copy& copy) {
  const auto raw = load<RawRegionTableHeader>(copy);
  return equals_text(raw.signature, region_table_signature) &&
         raw.checksum.value() ==
             crc32c_without_field(copy, offsetof(RawRegionTableHeader, checksum));
}

Result<Copy> read_copy(const File& file, int index) {
  Copy copy(region_table_size);
  VDISK_TRY(file.read_at(region_table_offsets[index], copy));
  return copy;
}

/// Selects the copy to use (X16, X17).
Result<Copy> select_copy(const File& file, RegionTable& table) {
  VDISK_ASSIGN(Copy first, read_copy(file, 0));
  VDISK_ASSIGN(Copy second, read_copy(file, 1));
  const bool first_valid = is_valid_copy(first);
  const bool second_valid = is_valid_copy(second);
  if (!first_valid && !second_valid) {
    return broken(16, Errc::header_checksum, region_table_offsets[0],
                  fmt::format("region tables at {:#x} and {:#x}: signature or checksum wrong in "
                              "both, expected a valid one",
                              region_table_offsets[0], region_table_offsets[1]));
  }
  table.used_copy = first_valid ? 0 : 1;
  table.other_valid = first_valid && second_valid;
  table.copies_differ = table.other_valid && !same_bytes(first, second);
  return first_valid ? std::move(first) : std::move(second);
}

Status validate_place(const Region& region, u64 entry_offset, u64 file_size) {
  if (region.length == 0 || !is_aligned(region.offset, region_alignment) ||
      !is_aligned(region.length, region_alignment) || region.offset < header_section_size) {
    return broken(21, Errc::header_invalid, entry_offset,
                  fmt::format("region entry at {:#x}: {:#x} bytes at {:#x}, expected multiples of "
                              "1 MiB behind the first 1 MiB",
                              entry_offset, region.length, region.offset));
  }
  if (!lies_within(region.offset, region.length, 0, file_size)) {
    return broken(21, place_error(region.offset, region.length, Errc::header_invalid), entry_offset,
                  fmt::format("region entry at {:#x}: {:#x} bytes at {:#x}, expected inside the "
                              "file of {:#x} bytes",
                              entry_offset, region.length, region.offset, file_size));
  }
  return {};
}

/// False: more entries than there can be, so that none of them says anything.
Result<bool> decode_entries(const Copy& copy, u64 copy_offset, u64 file_size, RegionTable& table,
                            Objections& objections) {
  const auto raw = load<RawRegionTableHeader>(copy);
  const u32 count = raw.entry_count.value();
  if (count > max_region_entries || raw.reserved.value() != 0) {
    VDISK_TRY(objections.raise(
        broken(18, Errc::header_invalid, copy_offset,
               fmt::format("region table at {:#x}: {} entries, reserved {:#x}, expected at most "
                           "2047 and 0",
                           copy_offset, count, raw.reserved.value()))));
  }
  if (count > max_region_entries) return false;
  for (u32 index = 0; index < count; ++index) {
    const u64 place = sizeof(RawRegionTableHeader) + u64{index} * sizeof(RawRegionEntry);
    const auto entry = load<RawRegionEntry>(std::span(copy).subspan(place));
    const u32 flags = entry.required.value();
    Region region{.id = decode(entry.guid),
                  .offset = entry.file_offset.value(),
                  .length = entry.length.value(),
                  .required = (flags & required_flag) != 0};
    if ((flags & ~required_flag) != 0) {
      table.warnings.push_back(
          {rule_name(19), fmt::format("region entry at {:#x}: flags {:#x}, expected only bit 0",
                                      copy_offset + place, flags)});
    }
    if (auto placed = validate_place(region, copy_offset + place, file_size); !placed) {
      region.in_place = false;
      VDISK_TRY(objections.raise(std::unexpected(std::move(placed).error())));
    }
    table.regions.push_back(region);
  }
  return true;
}

/// X20: each id once. Sorting keeps 2047 entries cheap.
Status validate_unique(const RegionTable& table, u64 copy_offset) {
  std::vector<Guid> ids;
  ids.reserve(table.regions.size());
  for (const Region& region : table.regions) ids.push_back(region.id);
  std::ranges::sort(ids);
  const auto twice = std::ranges::adjacent_find(ids);
  if (twice == ids.end()) return {};
  return broken(20, Errc::header_invalid, copy_offset,
                fmt::format("region table at {:#x}: region {} twice, expected once", copy_offset,
                            to_string(*twice)));
}

/// X22: regions and log are disjoint; alignment keeps them out of the header section.
Status validate_disjoint(const RegionTable& table, const Header& header, u64 copy_offset,
                         Objections& objections) {
  std::vector<Extent> places;
  // An empty place between two others would hide that these overlap.
  if (header.log_length != 0) {
    places.push_back({.offset = header.log_offset, .length = header.log_length});
  }
  for (const Region& region : table.regions) {
    if (region.in_place) places.push_back({.offset = region.offset, .length = region.length});
  }
  std::ranges::sort(places);
  for (std::size_t index = 1; index < places.size(); ++index) {
    const Extent& before = places[index - 1];
    if (!overlaps(before.offset, before.length, places[index].offset, places[index].length)) {
      continue;
    }
    VDISK_TRY(objections.raise(
        broken(22, Errc::header_invalid, copy_offset,
               fmt::format("region table at {:#x}: the areas at {:#x} and {:#x} overlap, "
                           "expected disjoint regions and log",
                           copy_offset, before.offset, places[index].offset))));
  }
  return {};
}

/// X24: no unknown required region.
Status validate_known(const RegionTable& table, u64 copy_offset, Objections& objections) {
  for (const Region& region : table.regions) {
    if (is_known_region(region.id) || !region.required) continue;
    VDISK_TRY(objections.raise(
        broken(24, Errc::unsupported, copy_offset,
               fmt::format("region table at {:#x}: unknown required region {}, expected only "
                           "known ones",
                           copy_offset, to_string(region.id)))));
  }
  return {};
}

/// X23: the region of that id; of two, the first one in place.
Status select_region(const RegionTable& table, const Guid& id, u64 copy_offset, Region& selected,
                     Objections& objections) {
  bool listed = false;
  for (const Region& region : table.regions) {
    if (region.id != id) continue;
    listed = true;
    if (region.in_place && selected.length == 0) selected = region;
  }
  if (listed) return {};
  return objections.raise(
      broken(23, Errc::header_invalid, copy_offset,
             fmt::format("region table at {:#x}: no {} region, expected BAT and metadata",
                         copy_offset, id == bat_region_id ? "BAT" : "metadata")));
}

Status interpret(const Copy& copy, const Header& header, u64 file_size, RegionTable& table,
                 Objections& objections) {
  const u64 copy_offset = region_table_offsets[table.used_copy];
  VDISK_ASSIGN(const bool known, decode_entries(copy, copy_offset, file_size, table, objections));
  if (!known) return {};
  if (auto unique = validate_unique(table, copy_offset); !unique) {
    VDISK_TRY(objections.raise(std::unexpected(std::move(unique).error())));
  }
  VDISK_TRY(validate_disjoint(table, header, copy_offset, objections));
  VDISK_TRY(validate_known(table, copy_offset, objections));
  VDISK_TRY(select_region(table, bat_region_id, copy_offset, table.bat, objections));
  return select_region(table, metadata_region_id, copy_offset, table.metadata, objections);
}

}  // namespace

bool is_known_region(const Guid& id) {
  return id == bat_region_id || id == metadata_region_id;
}

void append_copy_warnings(RegionTable& table) {
  const u64 used = region_table_offsets[table.used_copy];
  const u64 other = region_table_offsets[1 - table.used_copy];
  if (!table.other_valid) {
    table.warnings.push_back(
        {rule_name(16), fmt::format("region table at {:#x}: signature or checksum wrong; the "
                                    "copy at {:#x} is used",
                                    other, used)});
  }
  if (table.copies_differ) {
    table.warnings.push_back(
        {rule_name(17), fmt::format("region table at {:#x}: differs from the copy at {:#x}, which "
                                    "is used",
                                    other, used)});
  }
}

Result<RegionTable> read_region_table(const File& file, const Header& header) {
  Objections none_allowed;
  return read_region_table(file, header, none_allowed);
}

Result<RegionTable> read_region_table(const File& file, const Header& header,
                                      Objections& objections) {
  RegionTable table;
  VDISK_ASSIGN(const u64 file_size, file.size());
  VDISK_ASSIGN(const Copy copy, select_copy(file, table));
  VDISK_TRY(interpret(copy, header, file_size, table, objections));
  append_copy_warnings(table);
  return table;
}

Result<RegionTable> read_region_copy(const File& file, const Header& header, int copy_index) {
  Objections none_allowed;
  RegionTable table;
  table.used_copy = copy_index;
  VDISK_ASSIGN(const u64 file_size, file.size());
  VDISK_ASSIGN(const Copy copy, read_copy(file, copy_index));
  const u64 place = region_table_offsets[copy_index];
  if (!is_valid_copy(copy)) {
    return broken(16, Errc::header_checksum, place,
                  fmt::format("region table at {:#x}: signature or checksum wrong", place));
  }
  VDISK_TRY(interpret(copy, header, file_size, table, none_allowed));
  return table;
}

std::vector<std::byte> encode_region_table(std::span<const Region> regions) {
  std::vector<std::byte> copy(region_table_size);
  RawRegionTableHeader raw{};
  std::ranges::copy(region_table_signature, raw.signature.begin());
  raw.entry_count = static_cast<u32>(regions.size());
  std::size_t place = sizeof raw;
  for (const Region& region : regions) {
    RawRegionEntry entry{};
    entry.guid = encode(region.id);
    entry.file_offset = region.offset;
    entry.length = region.length;
    entry.required = region.required ? required_flag : 0;
    store(std::span(copy).subspan(place), entry);
    place += sizeof entry;
  }
  store(copy, raw);
  raw.checksum = crc32c_without_field(copy, offsetof(RawRegionTableHeader, checksum));
  store(copy, raw);
  return copy;
}

}  // namespace vdisk::vhdx
