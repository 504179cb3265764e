/// Every rule that one file alone can break. V34 - V37 concern a chain and are the engine's.
/// Memory: the sorted list of blocks (32 MiB at most), one bitmap, one piece of data.
#include "formats/vhd/check.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/vhd/block_scan.h"
#include "formats/vhd/layout.h"
#include "formats/vhd/sector_bits.h"

namespace vdisk::vhd {

namespace {

constexpr u64 piece_size = 64 * kib;

Severity severity_of(const Violation& violation) {
  switch (violation.consequence) {
    case Consequence::warn: return Severity::warning;
    case Consequence::ignore: return Severity::info;
    case Consequence::read_only:  // a feature that we do not write is no damage
      return violation.error.code == Errc::unsupported ? Severity::warning : Severity::error;
    case Consequence::reject:
    case Consequence::repair: break;
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

void report_overlaps(const std::vector<u32>& blocks, const Layout& layout, CheckReport& report) {
  const u64 footprint = layout.footprint();
  for (std::size_t n = 1; n < blocks.size(); ++n) {
    const u64 before = u64{blocks[n - 1]} * sector_size;
    const u64 offset = u64{blocks[n]} * sector_size;
    if (offset - before >= footprint) continue;
    report.add({"V27",
                Severity::error,
                offset,
                fmt::format("block at {:#x}: overlaps the block at {:#x}", offset, before),
                {}});
  }
}

/// Free space inside the file, and what close would cut off its end.
void report_gaps(const std::vector<u32>& blocks, const Layout& layout, CheckReport& report) {
  const BlockShape shape = block_shape(layout);
  for_each_gap(blocks, layout, [&](FileRange gap) {
    const bool at_end = gap.end() == layout.footer_offset;
    const u64 begin = at_end ? std::min(aligned_place(gap.offset, shape), gap.end()) : gap.offset;
    const u64 free = gap.end() - begin;
    if (free < data_alignment) return;
    report.bytes_reclaimable += free;
    if (free < shape.footprint()) return;
    report.add({"leak", Severity::info, begin,
                fmt::format("{} bytes at {:#x} belong to no block", free, begin),
                "use the space for new blocks, or compact"});
  });
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
    report.add({"V28", Severity::info, begin,
                fmt::format("BAT at {:#x}: {} entries behind the end of the disk are in use",
                            layout.header.table_offset, odd),
                "set them to not allocated"});
  }
  return {};
}

/// Whether a range of the file reads as zeros, without reading its holes.
Result<bool> reads_as_zeros(const File& file, FileRange range) {
  std::vector<std::byte> buffer(std::min(piece_size, range.length));
  while (range.length > 0) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(range.offset));
    u64 skipped = hole.offset == range.offset ? std::min(hole.length, range.length) : 0;
    if (skipped == 0) {
      skipped = std::min<u64>(buffer.size(), range.length);
      const auto piece = std::span(buffer).first(skipped);
      VDISK_TRY(file.read_at(range.offset, piece));
      if (!is_zero(piece)) return false;
    }
    range = {range.offset + skipped, range.length - skipped};
  }
  return true;
}

/// V30: the data of a sector whose bit is clear.
Status check_bitmap(const File& file, const BlockShape& shape, u64 place, CheckReport& report) {
  std::vector<std::byte> bitmap(shape.bitmap_bytes);
  VDISK_TRY(file.read_at(place, bitmap));
  const u64 sectors = shape.block_size / sector_size;
  for (u64 sector = 0; sector < sectors;) {
    const u64 run = run_of_equal_bits(bitmap, {sector, sectors - sector});
    const u64 data = place + shape.bitmap_bytes + sector * sector_size;
    if (!bit_at(bitmap, sector)) {
      VDISK_ASSIGN(const bool zeros, reads_as_zeros(file, {data, run * sector_size}));
      if (!zeros) {
        report.add({"V30", Severity::warning, place,
                    fmt::format("sector bitmap at {:#x}: the data at {:#x} are not zero, expected "
                                "zeros below clear bits",
                                place, data),
                    "set the bits"});
        return {};
      }
    }
    sector += run;
  }
  return {};
}

/// The text is only made for findings that are kept: there may be millions.
void report_bad_entry(u32 sector, const EntryPlace& place, const Layout& layout,
                      CheckReport& report) {
  Finding finding{
      "V26", Severity::error, place.table_offset + place.index * sizeof(sector), {}, {}};
  if (report.findings.size() < CheckReport::max_findings) {
    const auto fault = validate_entry(sector, place, block_shape(layout), metadata_ranges(layout));
    if (!fault) finding.message = fault.error().message;
  }
  report.add(std::move(finding));
}

Status check_blocks(const File& file, const Layout& layout, CheckReport& report) {
  u64 bad = 0;
  const auto on_bad = [&](u32 sector, const EntryPlace& place) {
    ++bad;
    report_bad_entry(sector, place, layout, report);
    return Status();
  };
  VDISK_ASSIGN(const auto blocks, scan_blocks(file, layout, on_bad));
  report.blocks_total = layout.block_count;
  report.blocks_allocated = blocks.size() + bad;
  report_overlaps(blocks, layout, report);
  if (bad == 0) report_gaps(blocks, layout, report);
  VDISK_TRY(check_spare_entries(file, layout, report));
  if (!layout.footer.is(DiskType::dynamic)) return {};
  const BlockShape shape = block_shape(layout);
  for (const u32 block : blocks) {
    VDISK_TRY(check_bitmap(file, shape, u64{block} * sector_size, report));
  }
  return {};
}

}  // namespace

Status check_image(const File& file, CheckReport& report) {
  auto found = survey(file, VhdSize::current);
  if (!found && found.error().code == Errc::not_image) {
    add_error("V1", found.error(), report);
    return {};
  }
  VDISK_TRY(found);
  add_violations(found->verdict, report);
  if (found->verdict.rejection() != nullptr) return {};
  return found->layout.footer.is_sparse() ? check_blocks(file, found->layout, report) : Status();
}

}  // namespace vdisk::vhd
