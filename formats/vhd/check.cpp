/// Every rule that one file alone can break. V34 - V37 concern a chain and are the engine's.
/// Memory: the sorted list of blocks (32 MiB at most), one bitmap, one piece of data.
#include "formats/vhd/check.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/hole_probe.h"
#include "formats/vhd/block_survey.h"
#include "formats/vhd/block_texts.h"
#include "formats/vhd/hidden_data.h"
#include "formats/vhd/remedies.h"
#include "formats/vhd/timestamp.h"

namespace vdisk::vhd {

namespace {

Severity severity_of(const Violation& violation) {
  switch (violation.consequence) {
    case Consequence::warn:
    case Consequence::repair: return Severity::warning;  // a crash leaves it, nothing is lost
    case Consequence::ignore: return Severity::info;
    case Consequence::read_only:  // a feature that we do not write is no damage
      return violation.error.code == Errc::unsupported ? Severity::info : Severity::error;
    case Consequence::reject: break;
  }
  return Severity::error;
}

void add_violations(const Verdict& verdict, CheckReport& report) {
  for (const Violation& violation : verdict.violations()) {
    report.add({std::string(violation.rule), severity_of(violation),
                violation.error.offset.value_or(0), violation.error.message,
                std::string(violation.repair)});
  }
}

void add_error(std::string id, const Error& error, CheckReport& report) {
  report.add({std::move(id), Severity::error, error.offset.value_or(0), error.message, {}});
}

/// Free space inside the file, and what a repair would cut off its end.
Status report_gaps(const File& file, const std::vector<u32>& blocks, const Layout& layout,
                   bool repairable, CheckReport& report) {
  const BlockShape shape = block_shape(layout);
  std::vector<FileRange> leaks;
  for_each_gap(blocks, layout, [&](FileRange gap) {
    const bool at_end = gap.end() == layout.footer_offset;
    const u64 begin = at_end ? std::min(aligned_place(gap.offset, shape), gap.end()) : gap.offset;
    const FileRange free{begin, gap.end() - begin};
    if (free.length < data_alignment) return;
    report.bytes_reclaimable += free.length;
    if (free.length >= shape.footprint()) leaks.push_back(free);
  });
  VDISK_ASSIGN(const auto tail, find_cuttable_tail(file, blocks, layout));
  for (const FileRange& leak : leaks) {
    const bool cut = repairable && tail && *tail == leak.offset;
    report.add({"leak", Severity::info, leak.offset,
                fmt::format("{} bytes at {:#x} belong to no block", leak.length, leak.offset),
                cut ? "cut the zeros at the end of the file" : ""});
  }
  return {};
}

/// V28. Only as far as a table that we would use reaches.
Status check_spare_entries(const File& file, const Layout& layout, CheckReport& report) {
  const u64 entries = std::min<u64>(layout.header.max_table_entries, max_block_count);
  if (entries <= layout.block_count) return {};
  const u64 begin = layout.header.table_offset + layout.block_count * sizeof(u32);
  u64 odd = 0;
  VDISK_TRY(for_each_entry(file, begin, entries - layout.block_count, [&](u64, u32 sector) {
    if (sector != unallocated) ++odd;
    return Status();
  }));
  if (odd != 0) {
    report.add({"V28",
                Severity::info,
                begin,
                fmt::format("BAT at {:#x}: {} entries behind the end of the disk are in use",
                            layout.header.table_offset, odd),
                {}});
  }
  return {};
}

/// The text is only made for findings that are kept: there may be millions.
void report_block(const BlockFinding& found, const Layout& layout, bool repairable,
                  CheckReport& report) {
  const EntryPlace place{found.index, layout.header.table_offset, layout.footer_offset};
  Finding finding{found.shared ? "V27" : "V26", Severity::error, place.offset(), {}, {}};
  if (report.findings.size() < CheckReport::max_findings) {
    finding.message = message_of(found, layout);
    if (repairable) finding.repair = repair_of(found, layout);
  }
  report.add(std::move(finding));
}

Status report_holes(const File& file, const std::vector<u32>& blocks, const BlockShape& shape,
                    CheckReport& report) {
  HoleProbe probe(file);
  u64 count = 0;
  u64 first = 0;
  for (const u32 block : blocks) {
    const u64 data = u64{block} * sector_size + shape.bitmap_bytes;
    VDISK_ASSIGN(const bool hole, probe.is_hole(data, shape.block_size));
    if (hole && count++ == 0) first = data;
  }
  if (count == 0) return {};
  report.add({"hole",
              Severity::info,
              first,
              fmt::format("block data at {:#x}: a hole of the host's file that reads as zeros; {} "
                          "such blocks",
                          first, count),
              {}});
  return {};
}

/// V30.
Status check_bitmaps(const File& file, const std::vector<u32>& blocks, const BlockShape& shape,
                     bool repairable, CheckReport& report) {
  for (const u32 block : blocks) {
    const u64 place = u64{block} * sector_size;
    VDISK_ASSIGN(const auto hidden, find_hidden_data(file, shape, place));
    if (!hidden) continue;
    report.add({"V30", Severity::warning, place,
                fmt::format("sector bitmap at {:#x}: the data at {:#x} are not zero, expected "
                            "zeros below clear bits",
                            place, *hidden),
                repairable ? "set the bits" : ""});
  }
  return {};
}

Status check_blocks(const File& file, const Layout& layout, bool repairable, CheckReport& report) {
  BlockSurvey survey(file, layout);
  bool settled = repairable;  // nothing is left that would keep the blocks from being changed
  VDISK_TRY(survey.run([&](const BlockFinding& found) {
    report_block(found, layout, repairable, report);
    settled = settled && found.remedy != Remedy::none;
    return Status();
  }));
  settled = settled && survey.unlisted_count() == 0;
  report.suppressed_findings += survey.unlisted_count();
  report.blocks_total = layout.block_count;
  report.blocks_allocated = survey.blocks().size() + survey.bad_count();
  VDISK_TRY(check_spare_entries(file, layout, report));
  const BlockShape shape = block_shape(layout);
  VDISK_TRY(report_holes(file, survey.blocks(), shape, report));
  if (layout.footer.is(DiskType::dynamic)) {
    VDISK_TRY(check_bitmaps(file, survey.blocks(), shape, settled, report));
  }
  return report_gaps(file, survey.blocks(), layout, settled, report);
}

/// V39. A clock that is a little behind is no finding.
void check_time_stamp(const Layout& layout, CheckReport& report) {
  constexpr auto tolerance = std::chrono::hours(25);
  const auto latest = std::chrono::system_clock::now() + tolerance;
  const i64 created = to_unix_time(layout.footer.time_stamp);
  const i64 limit =
      std::chrono::duration_cast<std::chrono::seconds>(latest.time_since_epoch()).count();
  if (created <= limit) return;
  report.add({"V39",
              Severity::info,
              layout.footer_offset,
              fmt::format("footer at {:#x}: time stamp {} lies in the future", layout.footer_offset,
                          layout.footer.time_stamp),
              {}});
}

}  // namespace

Status check_image(const File& file, CheckReport& report) {
  auto found = survey_everything(file);
  if (!found && found.error().code == Errc::not_image) {
    add_error("V1", found.error(), report);
    return {};
  }
  VDISK_TRY(found);
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(file, *found));
  add_violations(found->verdict, report);
  check_time_stamp(found->layout, report);
  if (!found->blocks_known) return {};
  return check_blocks(file, found->layout, remedies.blocks, report);
}

}  // namespace vdisk::vhd
