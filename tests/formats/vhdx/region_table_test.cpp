// Rules X16 to X25 (FORMATS 5.2), and HOSTILE VHDX-20 to VHDX-32.
#include "formats/vhdx/region_table.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

constexpr std::string_view unknown_guid = "77777777-1111-2222-3333-444444444444";
const Refusal corrupt_place{"X21", ErrorKind::corrupt};
const Refusal corrupt_overlap{"X22", ErrorKind::corrupt};

Refusal refusal_with_bat_offset(u64 offset) {
  return refusal(*with_region_field(region_entry(0, region_field::offset), offset, 8));
}
Refusal refusal_with_bat_length(u64 length) {
  return refusal(*with_region_field(region_entry(0, region_field::length), length, 4));
}

}  // namespace

TEST_CASE("X16: one valid copy is enough") {
  for (int copy = 0; copy < 2; ++copy) {
    const auto file = VhdxBuilder{}.build();
    poke(*file, region_table_place[copy] + 1000, 1, 1);  // the checksum is wrong now
    CHECK(refusal(*file) == opens);
    CHECK(warns(*file, "X16"));
    CHECK(read_layout(*file, {})->regions.used_copy == 1 - copy);
  }
  const auto file = VhdxBuilder{}.build();
  for (const u64 place : region_table_place) poke(*file, place, 'R', 1);
  CHECK(refusal(*file) == Refusal{"X16", ErrorKind::corrupt});
}

TEST_CASE("X17: of two valid copies that differ the first is used, with a warning") {
  VhdxBuilder builder;
  builder.bat_length = 2 * mib;
  const auto file = builder.build();
  poke(*file, region_table_place[1] + region_entry(0, region_field::offset),
       builder.bat_offset() + mib, 8);
  poke(*file, region_table_place[1] + region_entry(0, region_field::length), mib, 4);
  seal_region_table(*file, 1);
  CHECK(warns(*file, "X17"));
  CHECK(read_layout(*file, {})->regions.bat.offset == builder.bat_offset());
}

TEST_CASE("X18: at most 2047 entries, reserved field 0") {
  const Refusal corrupt{"X18", ErrorKind::corrupt};
  CHECK(refusal(*with_region_field(region_field::entry_count, 2048, 4)) == corrupt);
  CHECK(refusal(*with_region_field(region_field::entry_count, 0xFFFFFFFF, 4)) == corrupt);
  CHECK(refusal(*with_region_field(region_field::reserved, 1, 4)) == corrupt);
}

TEST_CASE("X19: unknown region flags are tolerated with a warning") {
  const auto file = with_region_field(region_entry(0, region_field::flags), 3, 4);
  CHECK(refusal(*file) == opens);
  CHECK(warns(*file, "X19"));
}

TEST_CASE("X20: a region occurs once") {
  VhdxBuilder builder;
  builder.extra_regions = {{std::string(bat_guid), 8 * mib}};
  CHECK(refusal(*builder.build()) == Refusal{"X20", ErrorKind::corrupt});
}

TEST_CASE("X21: regions are aligned, not empty and inside the file") {
  CHECK(refusal_with_bat_offset(3 * mib + 512) == corrupt_place);
  CHECK(refusal_with_bat_offset(u64{1} << 63) == corrupt_place);
  CHECK(refusal_with_bat_offset(~u64{0} - mib + 1) == corrupt_place);  // offset + length wraps
  CHECK(refusal_with_bat_offset(0) == corrupt_place);                  // over the header section
  CHECK(refusal_with_bat_length(0) == corrupt_place);
  CHECK(refusal_with_bat_length(mib + 4096) == corrupt_place);
  const Refusal truncated{"X21", ErrorKind::truncated};
  CHECK(refusal_with_bat_offset(100 * mib) == truncated);
  CHECK(refusal_with_bat_length(4 * gib - mib) == truncated);
  CHECK(refusal(*with_region_field(region_entry(1, region_field::length), 4096, 4)) ==
        corrupt_place);
}

TEST_CASE("X21: a file cut before its BAT is truncated") {
  const auto file = VhdxBuilder{}.build();
  REQUIRE(file->resize(5 * mib / 2).has_value());
  CHECK(refusal(*file) == Refusal{"X21", ErrorKind::truncated});
}

TEST_CASE("X22: log and regions are disjoint") {
  CHECK(refusal_with_bat_offset(2 * mib) == corrupt_overlap);  // over the metadata
  CHECK(refusal_with_bat_offset(mib) == corrupt_overlap);      // over the log
  CHECK(refusal(*with_header_field(header_field::log_offset, 2 * mib, 8)) == corrupt_overlap);
  CHECK(refusal(*with_header_field(header_field::log_offset, 3 * mib, 8)) == corrupt_overlap);
}

TEST_CASE("X22: a log without length does not hide an overlap around it") {
  VhdxBuilder builder;
  builder.extra_regions = {{std::string(unknown_guid), 8 * mib, 4 * mib, 0},
                           {"88888888-1111-2222-3333-444444444444", 10 * mib, mib, 0}};
  builder.file_end = 12 * mib;
  const auto file = builder.build();
  for (int slot = 0; slot < 2; ++slot) {
    poke(*file, header_place[slot] + header_field::log_offset, 9 * mib, 8);
    poke(*file, header_place[slot] + header_field::log_length, 0, 4);
    seal_header(*file, slot);
  }
  CHECK(refusal(*file) == corrupt_overlap);
}

TEST_CASE("X22: 2045 regions over each other are refused without comparing all pairs") {
  VhdxBuilder builder;
  for (int index = 0; index < 2045; ++index) {
    auto guid = std::string(unknown_guid);
    guid.replace(4, 4, std::to_string(1000 + index));
    builder.extra_regions.push_back({guid, 8 * mib, 64 * mib, 0});
  }
  CHECK(refusal(*builder.build()) == corrupt_overlap);
}

TEST_CASE("X23: BAT and metadata are required") {
  const Refusal corrupt{"X23", ErrorKind::corrupt};
  for (const std::size_t index : {0u, 1u}) {
    const auto place = region_entry(index, region_field::guid);
    auto file = with_region_field(region_entry(index, region_field::flags), 0, 4);
    for (int copy = 0; copy < 2; ++copy) {
      poke(*file, region_table_place[copy] + place, guid_bytes(unknown_guid));
      seal_region_table(*file, copy);
    }
    CHECK(refusal(*file) == corrupt);
  }
  CHECK(refusal(*with_region_field(region_field::entry_count, 0, 4)) == corrupt);
}

TEST_CASE("X24: an unknown required region is unsupported") {
  VhdxBuilder builder;
  builder.extra_regions = {{std::string(unknown_guid), 8 * mib, mib, 1}};
  CHECK(refusal(*builder.build()) == Refusal{"X24", ErrorKind::unsupported});
}

TEST_CASE("X25: an unknown optional region is kept") {
  VhdxBuilder builder;
  builder.extra_regions = {{std::string(unknown_guid), 8 * mib, mib, 0}};
  const auto file = builder.build();
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
  CHECK(read_layout(*file, {})->regions.regions.size() == 3);
}

TEST_CASE("quirk 21: known regions need not be marked as required") {
  const auto file = with_region_field(region_entry(0, region_field::flags), 0, 4);
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
}

TEST_CASE("quirk 22: regions come in any order") {
  const VhdxBuilder builder;
  const auto file = builder.build();
  for (int copy = 0; copy < 2; ++copy) {
    const u64 table = region_table_place[copy];
    poke(*file, table + region_entry(0, region_field::guid), guid_bytes(metadata_guid));
    poke(*file, table + region_entry(0, region_field::offset), builder.metadata_offset(), 8);
    poke(*file, table + region_entry(1, region_field::guid), guid_bytes(bat_guid));
    poke(*file, table + region_entry(1, region_field::offset), builder.bat_offset(), 8);
    seal_region_table(*file, copy);
  }
  CHECK(refusal(*file) == opens);
  CHECK(read_layout(*file, {})->regions.bat.offset == builder.bat_offset());
}

TEST_CASE("a BAT region of 3 GiB of holes costs nothing") {
  VhdxBuilder builder;
  builder.bat_length = 3 * gib;
  CHECK(refusal(*builder.build()) == opens);
}
