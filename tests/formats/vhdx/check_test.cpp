// What check finds in a whole image: rules that need all entries, and what it says about the rest.
#include "formats/vhdx/check.h"

#include <algorithm>

#include <doctest/doctest.h>

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
/// Ids with their severity, e.g. "error X40", in the order of the report.
std::vector<std::string> findings_of(const File& file) {
  std::vector<std::string> ids;
  for (const Finding& finding : report_of(file).findings) {
    ids.push_back(std::string(name(finding.severity)) + " " + finding.id);
  }
  return ids;
}
using Findings = std::vector<std::string>;

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
  CHECK(findings_of(*builder.build()) == Findings{"error X40"});
}

TEST_CASE("X40: a bitmap that shares its MiB with a block") {
  VhdxBuilder builder = child_with_partial_block();
  builder.set_block(4, 6, builder.bat[builder.bitmap_index(0)] & ~u64{7});
  CHECK(findings_of(*builder.build()) == Findings{"error X40"});
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
        Findings{"error X38", "error X39", "error X40", "error X37", "error X39", "error X42"});
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
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "X43");
  CHECK(report.findings[0].offset == builder.bat_entry_offset(builder.bitmap_index(1)));
}

TEST_CASE("X41, quirk 26: kept offsets are ignored and told") {
  VhdxBuilder builder;
  builder.set_block(0, 3, 4 * mib).set_block(1, 1, 900 * mib).set_block(2, 2, 4 * mib);
  builder.file_end = 4 * mib;
  CHECK(findings_of(*builder.build()) == Findings{"info X41"});
}

TEST_CASE("X42, quirk 25: junk in the bitmap slots of an image without a parent") {
  VhdxBuilder builder;
  builder.block_size = 256 * mib;
  builder.virtual_size = 10 * gib;
  builder.set_bitmap(0, 6, 4 * mib).set_bitmap(1, 6, 4 * mib);
  CHECK(findings_of(*builder.build()) == Findings{"warning X42"});
}

TEST_CASE("X44: slots past the needed count are ignored") {
  VhdxBuilder builder;
  builder.bat[builder.entry_count()] = ~u64{0};
  CHECK(findings_of(*builder.build()).empty());
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
  CHECK(findings_of(*file) == Findings{"warning X4", "warning X16"});
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
  CHECK(findings_of(*file) == Findings{"info X5", "info X19", "info file_size"});
  CHECK(report_of(*file).clean());
}

TEST_CASE("a rule that stops the check becomes its finding") {
  const auto file = with_region_field(region_entry(0, region_field::offset), mib, 8);
  const auto report = report_of(*file);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].id == "X22");
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
  CHECK(findings_of(*file) == Findings{"warning X11-dirty", "error X40"});
  CHECK(file->content() == before);
}

TEST_CASE("X11: a dirty log without an active sequence") {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  CHECK(findings_of(*builder.build()) == Findings{"warning X11-dirty"});  // nothing logged yet
  builder.log = {{.tail = 0x8000}};
  CHECK(findings_of(*builder.build()) == Findings{"error X11"});
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
  CHECK(report.findings.empty());
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
  CHECK(report.findings.size() == 1);  // the dirty log
  CHECK(counting->counts().read_bytes < 4 * mib);
}
