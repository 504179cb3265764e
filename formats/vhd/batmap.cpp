/// Finding and judging the batmap.
#include "formats/vhd/batmap.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

namespace {

/// From version 1.2 on blktap always writes a batmap.
constexpr u32 first_version_with_batmap = 0x00010002;

bool sound(const RawBatmapHeader& raw, u64 file_size) {
  const u32 version = raw.version.value();
  const u64 length = u64{raw.batmap_size_sectors.value()} * sector_size;
  return equals_text(raw.cookie, batmap_cookie) &&
         (version == 0x00010001 || version == 0x00010002) &&
         lies_within(raw.batmap_offset.value(), length, footer_size, file_size);
}

}  // namespace

u64 batmap_header_offset(const DynamicHeader& header) {
  return header.table_offset + table_bytes(header.max_table_entries);
}

Status survey_batmap(const File& file, const Footer& footer, const DynamicHeader& header,
                     u64 file_size, Verdict& verdict) {
  if (!created_by(footer, "tap")) return {};
  const u64 offset = batmap_header_offset(header);
  RawBatmapHeader raw{};
  const bool readable = lies_within(offset, sizeof(raw), 0, file_size);
  if (readable) VDISK_TRY(file.read_at(offset, writable_bytes_of(raw)));
  const bool present = equals_text(raw.cookie, batmap_cookie);
  if (!present && footer.creator_version < first_version_with_batmap) return {};
  verdict.add(
      "V41", Consequence::read_only,
      error_at(offset, Errc::unsupported,
               fmt::format("batmap at {:#x}: writing would make it wrong, expected an image "
                           "without one",
                           offset)));
  if (sound(raw, file_size)) return {};
  verdict.add("V41", Consequence::warn,
              error_at(offset, Errc::header_invalid,
                       fmt::format("batmap at {:#x}: not sound, it is ignored", offset)));
  return {};
}

}  // namespace vdisk::vhd
