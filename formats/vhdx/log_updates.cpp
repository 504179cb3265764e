#include "formats/vhdx/log_updates.h"

#include <fmt/format.h>

#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

using Sector = std::array<std::byte, log_sector_size>;

/// The entry was validated by the scan; if it reads differently now, somebody else writes the file.
std::unexpected<Error> changed_meanwhile(const Header& header, u64 offset) {
  const u64 place = header.log_offset + offset % header.log_length;
  return broken(
      11, Errc::corrupt, place,
      fmt::format("log entry at {:#x}: changed while it was read, expected a stable file", place));
}

Status visit_entry(const File& file, const Header& header, const LogEntryPlace& entry,
                   const LogUpdateVisitor& visit) {
  Sector sector;
  VDISK_TRY(read_log(file, header, entry.offset, sector));
  const auto entry_header = decode_log_entry_header(sector);
  if (!entry_header || entry_header->sequence_number != entry.sequence_number) {
    return changed_meanwhile(header, entry.offset);
  }
  const u64 sector_count = descriptor_sector_count(entry_header->descriptor_count);
  u64 data_sector = entry.offset + sector_count * log_sector_size;
  for (u64 index = 0; index < sector_count; ++index) {
    if (index != 0) {
      VDISK_TRY(read_log(file, header, entry.offset + index * log_sector_size, sector));
    }
    u64 place = first_descriptor_in_sector(index);
    for (u64 left = descriptors_in_sector(index, entry_header->descriptor_count); left > 0;
         --left, place += sizeof(RawLogDescriptor)) {
      const auto descriptor = decode_log_descriptor(std::span(sector).subspan(place));
      if (!descriptor) return changed_meanwhile(header, entry.offset);
      VDISK_TRY(visit({*descriptor, data_sector}));
      if (!descriptor->is_zero) data_sector += log_sector_size;
    }
  }
  return {};
}

}  // namespace

Status visit_log_updates(const File& file, const Header& header,
                         std::span<const LogEntryPlace> entries, const LogUpdateVisitor& visit) {
  for (const LogEntryPlace& entry : entries) VDISK_TRY(visit_entry(file, header, entry, visit));
  return {};
}

Result<std::array<std::byte, log_sector_size>> read_page(const File& file, const Header& header,
                                                         const LogUpdate& update) {
  Sector sector;
  VDISK_TRY(read_log(file, header, update.data_sector, sector));
  return rebuild_page(update.descriptor, sector);
}

}  // namespace vdisk::vhdx
