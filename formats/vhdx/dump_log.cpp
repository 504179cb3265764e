#include "formats/vhdx/dump_log.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/log_updates.h"
#include "formats/vhdx/structure_builder.h"

namespace vdisk::vhdx {

namespace {

/// Descriptors shown of one entry: an entry may hold a quarter of a million.
constexpr std::size_t max_descriptors_shown = 512;

StructureBuilder header_of(const RawLogEntryHeader& raw, const LogEntryPlace& entry, u64 place) {
  StructureBuilder builder("log entry", {place, entry.length});
  builder.number("entry_length", offsetof(RawLogEntryHeader, entry_length), raw.entry_length)
      .hex("tail", offsetof(RawLogEntryHeader, tail), raw.tail)
      .number("sequence_number", offsetof(RawLogEntryHeader, sequence_number), raw.sequence_number)
      .number("descriptor_count", offsetof(RawLogEntryHeader, descriptor_count),
              raw.descriptor_count)
      .guid("log_guid", offsetof(RawLogEntryHeader, log_guid), raw.log_guid)
      .hex("flushed_file_offset", offsetof(RawLogEntryHeader, flushed_file_offset),
           raw.flushed_file_offset)
      .hex("last_file_offset", offsetof(RawLogEntryHeader, last_file_offset), raw.last_file_offset);
  return builder;
}

Status dump_entry(const File& file, const Header& header, const LogEntryPlace& entry, bool active,
                  const StructureSink& sink) {
  RawLogEntryHeader raw;
  VDISK_TRY(read_log(file, header, entry.offset, writable_bytes_of(raw)));
  StructureBuilder builder = header_of(raw, entry, header.log_offset + entry.offset);
  builder.text("active", {0, 0}, active ? "yes" : "no");
  u64 place = sizeof raw;
  std::size_t shown = 0;
  VDISK_TRY(visit_log_updates(file, header, {&entry, 1}, [&](const LogUpdate& update) {
    if (shown++ < max_descriptors_shown) {
      builder.text(update.descriptor.is_zero ? "zero" : "data", {place, sizeof(RawLogDescriptor)},
                   fmt::format("{:#x} bytes to {:#x}", update.descriptor.length,
                               update.descriptor.file_offset));
    }
    place += sizeof(RawLogDescriptor);
    return Status();
  }));
  return builder.send(sink);
}

}  // namespace

Status dump_log(const File& file, const Header& header, const StructureSink& sink) {
  if (header.log_guid.is_zero()) return {};
  VDISK_ASSIGN(const LogIndex index, index_log(file, header));
  const auto sequence = select_active_sequence(index.entries, header.log_length);
  for (const LogEntryPlace& entry : index.entries) {
    const bool active =
        std::ranges::find(sequence, entry.offset, &LogEntryPlace::offset) != sequence.end();
    VDISK_TRY(dump_entry(file, header, entry, active, sink));
  }
  return {};
}

}  // namespace vdisk::vhdx
