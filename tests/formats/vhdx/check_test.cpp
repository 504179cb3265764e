// What check finds in a whole image: rules that need all entries, and what it says about the rest.
#include "formats/vhdx/check.h"

#include <algorithm>
#include <random>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/entry_faults.h"
#include "formats/vhdx/refusal.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

CheckReport report_of(const File& file) {
  CheckReport report;
  REQUIRE(check(file, report).has_value());
  return report;
}
/// Ids with their severity, e.g. "error X40, info leak", in the order of the report.
std::string findings_of(const File& file) {
  std::string ids;
  for (const Finding& finding : report_of(file).findings) {
    ids += fmt::format("{}{} {}", ids.empty() ? "" : ", ", name(finding.severity), finding.id);
  }
  return ids;
}

VhdxBuilder child_with_partial_block() {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.add_block(3, 0x33, 7);
  builder.add_bitmap(0, filled(1, 0xFF));
  return builder;
}

}  // namespace

TEST_CASE("a sound image has no findings, and its blocks are counted") {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  builder.add_block(7, 0x77);
  builder.set_block(3, 2, 0);
  const auto report = report_of(*builder.build());
  CHECK(report.findings.empty());
  CHECK(report.clean());
  CHECK(report.blocks_total == 8);
  CHECK(report.blocks_allocated == 2);
  CHECK(report.bytes_reclaimable == 0);
}

TEST_CASE("a sound child has no findings") {
  CHECK(findings_of(*child_with_partial_block().build()).empty());
}

TEST_CASE("X40: two entries that share a block") {
  VhdxBuilder builder;
  const u64 place = builder.add_block(0, 0x11);
  builder.set_block(5, 6, place);
  const auto report = report_of(*builder.build());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "X40");
  CHECK(report.findings[0].offset == builder.bat_entry_offset(5));
  CHECK_FALSE(report.clean());
}

TEST_CASE("X40: blocks of 2 MiB that overlap by one") {
  VhdxBuilder builder;
  builder.block_size = 2 * mib;
  const u64 place = builder.add_block(0, 0x11);
  builder.add_block(1, 0x22);
  builder.set_block(2, 6, place + mib);
  CHECK(findings_of(*builder.build()) == "error X40");
}

TEST_CASE("X40: a bitmap that shares its MiB with a block") {
  VhdxBuilder builder = child_with_partial_block();
  builder.set_block(4, 6, builder.bat[builder.bitmap_index(0)] & ~u64{7});
  CHECK(findings_of(*builder.build()) == "error X40");
}

TEST_CASE("X37 to X39, X42: every bad entry is a finding at its place") {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.bat[0] = 4;              // reserved state
  builder.bat[1] = 6;              // over the headers
  builder.bat[2] = mib | 6;        // over the log
  builder.bat[3] = 0x18;           // reserved bits
  builder.bat[4] = 100 * mib | 6;  // behind the end
  builder.set_bitmap(0, 5, 0);     // reserved state
  const auto report = report_of(*builder.build());
  CHECK(findings_of(*builder.build()) ==
        "error X38, error X39, error X40, error X37, error X39, error X42");
  CHECK(report.findings[4].offset == builder.bat_entry_offset(4));
  CHECK(report.findings[5].offset == builder.bat_entry_offset(builder.bitmap_index(0)));
}

TEST_CASE("X43: a partially present block without a bitmap") {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.block_size = 256 * mib;  // 16 blocks in a chunk
  builder.virtual_size = 10 * gib;
  builder.bat[builder.block_index(17)] = builder.data_offset() | 7;
  builder.file_end = builder.data_offset() + 256 * mib;
  const auto report = report_of(*builder.build());
  CHECK(findings_of(*builder.build()) == "error X43, info hole");
  CHECK(report.findings[0].offset == builder.bat_entry_offset(builder.bitmap_index(1)));
}

TEST_CASE("X41, quirk 26: kept offsets are ignored and told") {
  VhdxBuilder builder;
  builder.set_block(0, 3, 4 * mib).set_block(1, 1, 900 * mib).set_block(2, 2, 4 * mib);
  builder.file_end = 4 * mib;
  CHECK(findings_of(*builder.build()) == "info X41");
}

TEST_CASE("X42, quirk 25: junk in the bitmap slots of an image without a parent") {
  VhdxBuilder builder;
  builder.block_size = 256 * mib;
  builder.virtual_size = 10 * gib;
  builder.set_bitmap(0, 6, 4 * mib).set_bitmap(1, 6, 4 * mib);
  CHECK(findings_of(*builder.build()) == "warning X42");
}

TEST_CASE("X44: slots past the needed count are ignored and told") {
  VhdxBuilder builder;
  builder.bat[builder.entry_count()] = ~u64{0};
  builder.bat[builder.entry_count() + 700] = 6;
  const auto report = report_of(*builder.build());
  CHECK(findings_of(*builder.build()) == "info X44");
  CHECK(report.findings[0].offset == builder.bat_entry_offset(builder.entry_count()));
}

TEST_CASE("check goes on behind a broken rule") {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  builder.set_block(5, 6, builder.data_offset());
  const auto file = builder.build();
  poke(*file, 0, 0, 1);                                                                    // X2
  poke(*file, header_place[0] + 100, 1, 1);                                                // X4
  poke(*file, region_table_place[0] + region_field::reserved, 1, 4);                       // X18
  seal_region_table(*file, 0);                                                             // X17
  poke(*file, builder.metadata_offset() + metadata_entry(1, item_field::reserved), 1, 4);  // X29
  poke(*file, builder.metadata_offset() + 8, 1, 2);                                        // X26
  CHECK(findings_of(*file) ==
        "error X2, error X18, error X26, error X29, warning X4, warning X17, error X40");
}

TEST_CASE("X3: without headers the rest is judged all the same") {
  VhdxBuilder builder;
  builder.bat[0] = 4;
  const auto file = builder.build();
  for (const u64 place : header_place) poke(*file, place, 0, 4);
  CHECK(findings_of(*file) == "error X3, error X38, info leak");
}

TEST_CASE("two regions that cannot be told apart: nothing is said about their content") {
  const auto file = with_region_field(region_entry(0, region_field::offset), 2 * mib + 1, 8);
  CHECK(findings_of(*file) == "error X21");
}

TEST_CASE("every mandatory item that is missing is a finding of its own") {
  const auto file = with_metadata_field(metadata_entry(0, item_field::guid), 1, 1);
  poke(*file, VhdxBuilder{}.metadata_offset() + metadata_entry(4, item_field::length), 15, 4);
  CHECK(findings_of(*file) == "error X30, error X31, error X31");
}

TEST_CASE("the cheap verdict about an entry is the one in words") {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.virtual_size = 8 * mib;
  builder.file_end = 16 * mib;
  std::mt19937_64 random(1);
  for (const bool child : {false, true}) {
    builder.has_parent = child;
    const auto layout = read_layout(*builder.build(), {});
    REQUIRE(layout.has_value());
    const EntryFaults faults(*layout);
    for (int round = 0; round < 20000; ++round) {
      u64 raw = (random() % 20) << 20 | random() % 8;
      if (round % 7 == 0) raw |= u64{1} << random() % 64;
      const bool payload = validate_payload_entry(*layout, 3, raw).has_value();
      REQUIRE((faults.of_payload(3, raw) == EntryFault::none) == payload);
      const bool bitmap = validate_bitmap_entry(*layout, 0, raw).has_value();
      REQUIRE((faults.of_bitmap(raw) == EntryFault::none) == bitmap);
    }
  }
}

TEST_CASE("a BAT full of garbage beside many regions is looked at in linear time") {
  VhdxBuilder builder;
  builder.virtual_size = tib;
  for (u64 n = 0; n < 1000; ++n) {
    builder.extra_regions.push_back({.guid = fmt::format("{:08x}-1111-2222-3333-444444444444", n),
                                     .offset = 100 * mib + n * mib,
                                     .flags = 0});
  }
  builder.file_end = 2000 * mib;
  const auto file = builder.build();
  const u64 count = builder.entry_count();
  poke(*file, builder.bat_offset(), filled(count * 8, 0xA5));
  const auto report = report_of(*file);
  CHECK(report.findings.size() == CheckReport::max_findings);
  CHECK(report.suppressed_findings > count - count / 4096 - 10);
}

TEST_CASE("leaked space is told and counted, but the image is clean") {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  builder.file_end = builder.data_offset() + 6 * mib;
  const auto report = report_of(*builder.build());
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "leak");
  CHECK(report.findings[0].offset == builder.data_offset() + mib);
  CHECK(report.bytes_reclaimable == 5 * mib);
  CHECK(report.clean());
}

TEST_CASE("stale copies are warnings with a repair") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, header_place[0] + 100, 1, 1);
  poke(*file, region_table_place[1] + 100, 1, 1);
  CHECK(findings_of(*file) == "warning X4, warning X16");
  for (const Finding& finding : report_of(*file).findings) CHECK_FALSE(finding.repair.empty());
}

TEST_CASE("quirks 20, 21, 23 are told, and the image is clean") {
  VhdxBuilder builder;
  builder.sequence_numbers[0] = builder.sequence_numbers[1] = 1;
  auto file = builder.build();
  for (int copy = 0; copy < 2; ++copy) {
    poke(*file, region_table_place[copy] + region_entry(0, region_field::flags), 0, 4);
    seal_region_table(*file, copy);
  }
  REQUIRE(file->resize(*file->size() + 512).has_value());
  CHECK(findings_of(*file) == "info X5, info X19, info file_size");
  CHECK(report_of(*file).clean());
}

TEST_CASE("a rule that keeps the image from being opened becomes its finding") {
  const auto file = with_region_field(region_entry(0, region_field::offset), mib, 8);
  const auto report = report_of(*file);
  CHECK(findings_of(*file) == "error X22, info leak");  // where the BAT really is
  CHECK(report.findings[0].severity == Severity::error);
  CHECK(report.findings[0].offset == region_table_place[0]);
}

TEST_CASE("check looks at the state that a dirty log will leave") {
  VhdxBuilder builder;
  const u64 place = builder.add_block(0, 0x11);
  builder.log_guid = test_log_guid;
  Bytes page(4096);
  const Bytes entries = little(place | 6, 8);
  std::ranges::copy(entries, page.begin());
  std::ranges::copy(entries, page.begin() + 8);  // blocks 0 and 1 share their place
  builder.log = {{.writes = {{builder.bat_offset(), page}}, .last_file_offset = 5 * mib}};
  const auto file = builder.build();
  const auto before = file->content();
  CHECK(findings_of(*file) == "warning X11-dirty, error X40");
  CHECK(file->content() == before);
}

TEST_CASE("X11: a dirty log without an active sequence") {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  CHECK(findings_of(*builder.build()) == "warning X11-dirty");  // nothing logged yet
  builder.log = {{.tail = 0x8000}};
  CHECK(findings_of(*builder.build()) == "error X11");
}

TEST_CASE("a file that cannot be read is an error, not a finding") {
  // The first megabyte is there, and reads of it fail.
  class Unreadable : public MemoryFile {
   public:
    Status read_at(u64, std::span<std::byte>) const override {
      return fail(Errc::io, "a bad sector");
    }
  };
  Unreadable file;
  REQUIRE(file.resize(4 * mib).has_value());
  CheckReport report;
  CHECK(check(file, report).error().code == Errc::io);
}

TEST_CASE("checking the largest disk reads only what is in its BAT") {
  VhdxBuilder builder;
  builder.virtual_size = 64 * tib;
  builder.bat_length = 513 * mib;
  builder.set_block(67'000'000, 6, builder.data_offset());
  builder.file_end = builder.data_offset() + mib;
  const auto counting = std::make_shared<CountingFile>(builder.build());
  const auto report = report_of(*counting);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "hole");  // the block was never written
  CHECK(report.blocks_allocated == 1);
  CHECK(report.blocks_total == 64 * 1024 * 1024);
  CHECK(counting->counts().read_bytes < 2 * mib);
}

TEST_CASE("checking the largest disk through a dirty log reads only what is stored") {
  VhdxBuilder builder;
  builder.virtual_size = 64 * tib;
  builder.bat_length = 513 * mib;
  builder.log_guid = test_log_guid;
  Bytes page(4096);
  std::ranges::copy(little(builder.data_offset() | 6, 8), page.begin() + 16);
  const u64 logged = builder.bat_offset() + 300 * mib;  // in the middle of a hole
  builder.log = {{.writes = {{logged, page}, {builder.bat_offset() + 400 * mib, {}, 4096}}}};
  builder.file_end = builder.data_offset() + mib;
  builder.log[0].last_file_offset = builder.file_end;
  const auto counting = std::make_shared<CountingFile>(builder.build());
  const auto report = report_of(*counting);
  CHECK(report.blocks_allocated == 1);
  CHECK(report.findings.size() == 2);  // the dirty log, and the block was never written
  CHECK(counting->counts().read_bytes < 4 * mib);
}
