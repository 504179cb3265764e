/// Footers first, so that one of them is valid whatever happens later; then the header, then the
/// blocks. Each step ends with a flush before the next one relies on it.
#include "formats/vhd/repair.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/vhd/block_repair.h"
#include "formats/vhd/block_table.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/remedies.h"

namespace vdisk::vhd {

namespace {

void add_actions(const Verdict& verdict, RepairReport& report) {
  for (const Violation& violation : verdict.violations()) {
    if (violation.repair.empty()) continue;
    report.add({std::string(violation.rule), violation.error.offset.value_or(0),
                std::string(violation.repair)});
  }
}

/// Whether the last sector is free for a footer: it holds nothing, or what is left of one.
Result<bool> may_be_overwritten(const File& file, u64 offset, u64 file_size) {
  std::array<std::byte, footer_size> bytes{};
  const auto stored = std::span(bytes).first(file_size - offset);
  VDISK_TRY(file.read_at(offset, stored));
  return is_zero(bytes) || classify_footer(bytes) != FooterState::missing;
}

/// Where a lost end footer goes: over the last sector where that is free, else behind the end.
Result<u64> place_for_footer(const File& file, const Layout& layout) {
  const u64 behind = round_up(layout.file_size, sector_size);
  const u64 last = behind - footer_size;
  u64 used = 0;
  for (const FileRange& range : metadata_ranges(layout)) used = std::max(used, range.end());
  VDISK_TRY(
      for_each_entry(file, layout.header.table_offset, layout.block_count, [&](u64, u32 sector) {
        const u64 offset = u64{sector} * sector_size;
        if (sector != unallocated && offset < layout.file_size) {
          used = std::max(used, offset + layout.footprint());
        }
        return Status();
      }));
  if (used > last) return behind;
  VDISK_ASSIGN(const bool free, may_be_overwritten(file, last, layout.file_size));
  return free ? last : behind;
}

Status repair_lost_footer(File& file, Layout& layout) {
  if (layout.stranded_footer_offset) {
    VDISK_TRY(file.resize(*layout.stranded_footer_offset + footer_size));
    return file.flush();
  }
  VDISK_ASSIGN(const u64 place, place_for_footer(file, layout));
  VDISK_TRY(write_footer(file, place, layout.footer));
  return file.flush();
}

Status repair_footer_pair(File& file, Layout& layout) {
  if (layout.repair == FooterRepair::append_end) return repair_lost_footer(file, layout);
  return repair_footers(file, layout);
}

/// The checksum lies in the first sector of the header: it changes at once.
Status repair_header_checksum(File& file, const Layout& layout) {
  const RawDynamicHeader raw = encode_dynamic_header(layout.header);
  VDISK_TRY(file.write_at(layout.header_offset,
                          std::span<const std::byte>(bytes_of(raw)).first(sector_size)));
  return file.flush();
}

}  // namespace

Status repair_image(File& file, RepairReport& report) {
  auto found = survey_everything(file);
  if (!found && found.error().code == Errc::not_image) return {};
  VDISK_TRY(found);
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(file, *found));
  add_actions(found->verdict, report);
  if (remedies.footers) VDISK_TRY(repair_footer_pair(file, found->layout));
  if (remedies.header_checksum) VDISK_TRY(repair_header_checksum(file, found->layout));
  if (!remedies.blocks) return {};
  VDISK_ASSIGN(Survey sound, survey(file, VhdSize::current));
  if (sound.verdict.rejection() != nullptr) return {};
  return repair_blocks(file, sound.layout, report);
}

}  // namespace vdisk::vhd
