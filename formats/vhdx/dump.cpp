#include "formats/vhdx/dump.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "base/utf16.h"
#include "formats/vhdx/dump_bat.h"
#include "formats/vhdx/dump_log.h"
#include "formats/vhdx/dump_metadata.h"
#include "formats/vhdx/header.h"
#include "formats/vhdx/layout.h"
#include "formats/vhdx/region_table.h"
#include "formats/vhdx/structure_builder.h"

namespace vdisk::vhdx {

namespace {

std::string checksum_text(u32 stored, u32 computed) {
  if (stored == computed) return fmt::format("{:#010x} (right)", stored);
  return fmt::format("{:#010x} (wrong, expected {:#010x})", stored, computed);
}

Status dump_identifier(const File& file, const StructureSink& sink) {
  RawFileIdentifier raw;
  VDISK_TRY(file.read_at(file_identifier_offset, writable_bytes_of(raw)));
  return StructureBuilder("file type identifier", {file_identifier_offset, sizeof raw})
      .text("signature", {0, raw.signature.size()}, StructureBuilder::signature_text(raw.signature))
      .text("creator", {offsetof(RawFileIdentifier, creator), raw.creator.size()},
            decode_utf16_lossy(raw.creator, ByteOrder::little))
      .send(sink);
}

Status dump_header(const File& file, int slot, const StructureSink& sink) {
  const u64 place = header_slot_offsets[slot];
  RawHeader raw;
  VDISK_TRY(file.read_at(place, writable_bytes_of(raw)));
  const u32 computed = crc32c_without_field(bytes_of(raw), offsetof(RawHeader, checksum));
  return StructureBuilder(fmt::format("header {}", slot + 1), {place, sizeof raw})
      .text("signature", {0, raw.signature.size()}, StructureBuilder::signature_text(raw.signature))
      .text("checksum", {offsetof(RawHeader, checksum), sizeof raw.checksum},
            checksum_text(raw.checksum.value(), computed))
      .number("sequence_number", offsetof(RawHeader, sequence_number), raw.sequence_number)
      .guid("file_write_guid", offsetof(RawHeader, file_write_guid), raw.file_write_guid)
      .guid("data_write_guid", offsetof(RawHeader, data_write_guid), raw.data_write_guid)
      .guid("log_guid", offsetof(RawHeader, log_guid), raw.log_guid)
      .number("log_version", offsetof(RawHeader, log_version), raw.log_version)
      .number("version", offsetof(RawHeader, version), raw.version)
      .hex("log_length", offsetof(RawHeader, log_length), raw.log_length)
      .hex("log_offset", offsetof(RawHeader, log_offset), raw.log_offset)
      .send(sink);
}

Status dump_region_entry(const RawRegionEntry& raw, u64 place, const StructureSink& sink) {
  return StructureBuilder("region table entry", {place, sizeof raw})
      .guid("guid", 0, raw.guid)
      .hex("file_offset", offsetof(RawRegionEntry, file_offset), raw.file_offset)
      .hex("length", offsetof(RawRegionEntry, length), raw.length)
      .hex("required", offsetof(RawRegionEntry, required), raw.required)
      .send(sink);
}

Status dump_region_table(const File& file, int copy, const StructureSink& sink) {
  const u64 place = region_table_offsets[copy];
  std::vector<std::byte> bytes(region_table_size);
  VDISK_TRY(file.read_at(place, bytes));
  const auto raw = load<RawRegionTableHeader>(bytes);
  const u32 computed = crc32c_without_field(bytes, offsetof(RawRegionTableHeader, checksum));
  VDISK_TRY(StructureBuilder(fmt::format("region table {}", copy + 1), {place, region_table_size})
                .text("signature", {0, raw.signature.size()},
                      StructureBuilder::signature_text(raw.signature))
                .text("checksum", {offsetof(RawRegionTableHeader, checksum), sizeof raw.checksum},
                      checksum_text(raw.checksum.value(), computed))
                .number("entry_count", offsetof(RawRegionTableHeader, entry_count), raw.entry_count)
                .send(sink));
  if (raw.checksum.value() != computed) return {};
  const u32 count = std::min(raw.entry_count.value(), max_region_entries);
  for (u32 index = 0; index < count; ++index) {
    const u64 entry = sizeof raw + u64{index} * sizeof(RawRegionEntry);
    VDISK_TRY(dump_region_entry(load<RawRegionEntry>(std::span(bytes).subspan(entry)),
                                place + entry, sink));
  }
  return {};
}

/// What can only be found through the structures above. A damaged one ends the dump quietly: it
/// was shown already, and check says what is wrong with it.
Status dump_located(const File& file, const StructureSink& sink) {
  VDISK_ASSIGN(const u64 size, file.size());
  const auto headers = read_headers(file);
  if (!headers || !validate(*headers, size)) return {};
  VDISK_TRY(dump_log(file, headers->current, sink));
  const auto regions = read_region_table(file, headers->current);
  if (!regions) return {};
  VDISK_TRY(dump_metadata(file, regions->metadata, sink));
  const auto layout = read_layout(file, {.ignore_dirty_log = true});
  return layout ? dump_bat(file, *layout, sink) : Status();
}

}  // namespace

Status dump(const File& file, const StructureSink& sink) {
  VDISK_TRY(dump_identifier(file, sink));
  VDISK_TRY(dump_header(file, 0, sink));
  VDISK_TRY(dump_header(file, 1, sink));
  VDISK_TRY(dump_region_table(file, 0, sink));
  VDISK_TRY(dump_region_table(file, 1, sink));
  return dump_located(file, sink);
}

}  // namespace vdisk::vhdx
