/// The rules of the BAT, the bitmaps and the batmap: V26 - V28, V30 and V41 of FORMATS 5.1.
#include "rule_edits.h"

using namespace vdisk;
using namespace vdisk::test;

TEST_CASE("V26: a bad BAT entry fails its own block and no other") {
  const VhdBuilder builder = small_dynamic();
  const Bytes sound = builder.build();
  const u64 end = sound.size() - 512;
  struct Row {
    u32 sector;
    Errc code;
  };
  for (const Row row :
       {Row{0, Errc::bat_invalid}, Row{1, Errc::bat_invalid}, Row{3, Errc::bat_invalid},
        Row{static_cast<u32>(end / 512), Errc::bat_invalid}, Row{0x7FFFFFFF, Errc::bat_invalid},
        Row{0xFFFFFFFE, Errc::bat_invalid},
        Row{static_cast<u32>(end / 512 - 1), Errc::file_size_invalid}}) {
    CAPTURE(row.sector);
    Bytes bytes = sound;
    put_u32(bytes, table_at + 1 * 4, row.sector);
    const auto image = open_sound(memory_file(bytes));
    const auto extent = image->extent_at(512 * kib, 512);
    REQUIRE_FALSE(extent.has_value());
    CHECK(name(extent.error().code) == name(row.code));
    CHECK(extent.error().offset == table_at + 4);
    CHECK(*read_image(*image, 2 * mib, 128 * kib) == pattern(2 * mib, 128 * kib, 1));
    CHECK(image->extent_at(0, mib)->length == 512 * kib);
    const CheckReport report = check_bytes(bytes);
    CHECK(has_finding(report, "V26"));
    CHECK_FALSE(report.clean());

    const auto writable = open_sound(memory_file(bytes), Access::read_write);
    CHECK(writable->reserve(2 * mib, 512).error().code == row.code);
    CHECK(writable->reserve(0, 512).error().code == row.code);
  }
}

TEST_CASE("V26: a BAT of zeros aliases the footer everywhere") {
  VhdBuilder builder;
  builder.footer.current_size = 2040 * gib;
  Bytes bytes = builder.build();
  std::fill(bytes.begin() + table_at, bytes.end() - 512, std::byte{});
  const auto image = open_sound(memory_file(bytes));
  CHECK(image->extent_at(1000 * gib, mib).error().code == Errc::bat_invalid);
  const CheckReport report = check_bytes(bytes);
  CHECK(report.findings.size() == CheckReport::max_findings);
  CHECK(report.suppressed_findings > 1000000);
}

TEST_CASE("V26: a file that lost the end of its last block") {
  const VhdBuilder builder = small_dynamic();
  Bytes bytes = builder.build();
  bytes.resize(bytes.size() - 512 - 100 * kib);
  const auto image = open_sound(memory_file(bytes));
  CHECK(image->extent_at(2 * mib, 512).error().code == Errc::file_size_invalid);
  CHECK(*read_image(*image, 512 * kib, 512 * kib) == pattern(512 * kib, 512 * kib, 1));
  check_write_refused(bytes, Errc::file_size_invalid);
}

TEST_CASE("V27: blocks that share space are found by check and not written") {
  for (const u32 distance : {0U, 1U, 1024U}) {
    CAPTURE(distance);
    const VhdBuilder builder = small_dynamic();
    Bytes bytes = builder.build();
    const auto first = static_cast<u32>(builder.place_of(1) / 512);
    put_u32(bytes, table_at + 3 * 4, first + distance);
    CHECK(has_finding(check_bytes(bytes), "V27"));
    const auto image = open_sound(memory_file(bytes), Access::read_write);
    CHECK(image->reserve(0, 512).error().code == Errc::bat_invalid);
    CHECK(*read_image(*image, 512 * kib, 512) == pattern(512 * kib, 512, 1));
  }
}

TEST_CASE("V27: a block over a parent locator is not written") {
  const VhdBuilder builder = small_child();
  Bytes bytes = builder.build();
  const u64 area = get_u64(bytes, header_at + 576 + 16);
  put_u32(bytes, table_at + 0 * 4, static_cast<u32>(area / 512));
  const auto image = open_sound(memory_file(bytes), Access::read_write);
  CHECK(image->reserve(0, 512).error().code == Errc::bat_invalid);
  CHECK_FALSE(check_bytes(bytes).clean());
}

TEST_CASE("V28: BAT entries behind the end of the disk are ignored") {
  VhdBuilder builder = small_dynamic();
  builder.max_table_entries = 12;
  Bytes bytes = builder.build();
  for (u64 index = 5; index < 12; ++index) put_u32(bytes, table_at + index * 4, 0xDEADBEEF);
  check_opens(bytes, content_of_small_dynamic());
  const CheckReport report = check_bytes(bytes);
  CHECK(has_finding(report, "V28"));
  CHECK(report.clean());
}

TEST_CASE("V30: a clear bit in a dynamic image hides nothing; check tells") {
  VhdBuilder builder = small_dynamic();
  builder.blocks[1].bitmap = Bytes(512);
  check_opens(builder.build(), content_of_small_dynamic());
  CHECK(has_finding(check_bytes(builder.build()), "V30"));
  builder.blocks[1].data.clear();  // zeros below clear bits are in order
  CHECK(check_bytes(builder.build()).clean());
}

TEST_CASE("V41: an image with a batmap is read and not written") {
  VhdBuilder builder = small_dynamic();
  builder.footer.creator_application = "tap";
  builder.footer.creator_version = 0x00010003;
  const Bytes newer = builder.build();
  check_opens(newer, content_of_small_dynamic(), "V41");
  check_write_refused(newer, Errc::unsupported);
  builder.footer.creator_version = 0x00010001;  // by its cookie only
  CHECK(open_vhd(memory_file(builder.build()), Access::read_write).has_value());
  builder.locators = {{0, Bytes(512)}};  // room for the batmap header behind the BAT
  Bytes older = builder.build();
  put_text(older, table_at + 512, "tdbatmap");
  check_opens(older, content_of_small_dynamic(), "V41");
  check_write_refused(older, Errc::unsupported);
}
