/// The rules of the dynamic header and the parent: V17 - V25 and V31 - V38 of FORMATS 5.1. V37, and
/// what the engine does about V34 - V36, concern a chain; here is what this format contributes.
#include "rule_edits.h"

using namespace vdisk;
using namespace vdisk::test;

TEST_CASE("V17: the cookie of the dynamic header") {
  check_refused(with_header(small_dynamic().build(), [](Bytes& b, u64 at) { put_u8(b, at, 'x'); }),
                Errc::header_invalid);
}

TEST_CASE("V18: the checksum of the dynamic header") {
  Bytes bytes = small_dynamic().build();
  put_u8(bytes, header_at + 60, 1);
  check_refused(bytes, Errc::header_checksum);
  CHECK(has_finding(check_bytes(bytes), "V18"));
}

TEST_CASE("V19: the version of the dynamic header") {
  check_refused(with_header(small_dynamic().build(),
                            [](Bytes& b, u64 at) { put_u32(b, at + 24, 0x00090000); }),
                Errc::header_unsupported_version);
}

TEST_CASE("V20: the next structure that a header names is ignored") {
  const Bytes bytes =
      with_header(small_dynamic().build(), [](Bytes& b, u64 at) { put_u64(b, at + 8, 4096); });
  check_opens(bytes, content_of_small_dynamic(), "V20");
}

TEST_CASE("V21: block sizes") {
  for (const u32 size : {0U, 1U, 256U, 3U << 20, 512U << 20, 0x80000000U, 0xFFFFFE00U, ~0U}) {
    CAPTURE(size);
    check_refused(
        with_header(small_dynamic().build(), [&](Bytes& b, u64 at) { put_u32(b, at + 32, size); }),
        Errc::block_size_invalid);
  }
  for (const u32 size : {u32{512}, u32{4 * kib}, u32{32 * kib}, u32{mib}}) {
    CAPTURE(size);
    VhdBuilder builder;
    builder.block_size = size;
    builder.footer.current_size = 3 * u64{size};
    builder.blocks[2].data = pattern(0, size, 5);
    Bytes content(2 * u64{size});
    const Bytes stored = pattern(0, size, 5);
    content.insert(content.end(), stored.begin(), stored.end());
    check_opens(builder.build(), content);
  }
}

TEST_CASE("V22: the place of the BAT") {
  const Bytes bytes = small_dynamic().build();
  for (const u64 offset : std::initializer_list<u64>{
           0, 512, 1024, 1537, u64{1} << 63, ~u64{0} - 511, bytes.size(), bytes.size() - 512}) {
    CAPTURE(offset);
    check_refused(with_header(bytes, [&](Bytes& b, u64 at) { put_u64(b, at + 16, offset); }),
                  Errc::header_invalid);
  }
}

TEST_CASE("V23: fewer BAT entries than blocks") {
  for (const u32 count : {0U, 1U, 4U}) {
    check_refused(
        with_header(small_dynamic().build(), [&](Bytes& b, u64 at) { put_u32(b, at + 28, count); }),
        Errc::header_invalid);
  }
}

TEST_CASE("V24: more BAT entries than blocks are ignored") {
  VhdBuilder builder = small_dynamic();
  builder.max_table_entries = 300;
  check_opens(builder.build(), content_of_small_dynamic());
  const CheckReport report = check_bytes(builder.build());
  CHECK(has_finding(report, "V24"));
  CHECK(report.clean());
}

TEST_CASE("V25: a BAT larger than its file is refused before anything is allocated") {
  const auto count = [](u32 value) {
    return [value](Bytes& bytes, u64 at) { put_u32(bytes, at + 28, value); };
  };
  check_refused(with_header(small_dynamic().build(), count(~0U)), Errc::limit);
  check_refused(with_header(small_dynamic().build(), count(1U << 29)), Errc::header_invalid);
  check_refused(with_header(small_dynamic().build(), count(1U << 30)), Errc::header_invalid);
}

TEST_CASE("V25: 2040 GiB in blocks of one sector, in a sparse file") {
  VhdFooterFields fields;
  fields.current_size = 2040 * gib;
  const Bytes footer = make_vhd_footer(fields);
  VhdBuilder builder;
  builder.footer.current_size = 2 * mib;
  Bytes start = builder.build();
  put_u32(start, header_at + 28, 0xFF000000);
  put_u32(start, header_at + 32, 512);
  fix_vhd_header(start, header_at);
  start.resize(1536);
  std::ranges::copy(footer, start.begin());
  const auto file = memory_file(start);
  REQUIRE(file->write_at(17 * gib, footer).has_value());
  const auto image = open_vhd(file);
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == Errc::limit);
}

TEST_CASE("V31: a child that names no parent") {
  VhdBuilder builder = small_child();
  builder.locators.clear();
  builder.parent_name.clear();
  const auto image = open_sound(memory_file(builder.build()));
  CHECK(has_warning(*image, "V31"));
  CHECK(image->info().parent->paths.empty());
}

TEST_CASE("V32: locators that cannot be read are left out") {
  const Bytes sound = small_child().build();
  const u64 locator = header_at + 576;
  const auto paths_with = [&](u64 field, u64 size, u64 value) {
    Bytes bytes = sound;
    size == 8 ? put_u64(bytes, locator + field, value)
              : put_u32(bytes, locator + field, static_cast<u32>(value));
    fix_vhd_header(bytes, header_at);
    const auto image = open_sound(memory_file(bytes));
    CHECK(has_warning(*image, "V32"));
    return image->info().parent->paths;
  };
  for (const u64 offset : std::initializer_list<u64>{sound.size(), ~u64{0} - 7, u64{1} << 63, 0,
                                                     header_at, table_at}) {
    CAPTURE(offset);
    const auto paths = paths_with(16, 8, offset);
    REQUIRE(paths.size() == 2);
    CHECK(paths[0].kind == "W2ku");
  }
  for (const u64 length : {u64{0}, u64{11}, u64{0xFFFFFFFF}, 64 * kib + 2}) {
    CAPTURE(length);
    CHECK(paths_with(8, 4, length).size() == 2);
  }
  CHECK(paths_with(0, 4, 0x41424344).size() == 2);
}

TEST_CASE("V32: locators of bad encoding are kept, marked") {
  struct Row {
    Bytes name;
    bool well_formed;
  };
  const Bytes lone{std::byte{0x00}, std::byte{0xD8}, std::byte{'a'}, std::byte{0}};
  const Bytes embedded = utf16le(std::string_view("a\0b", 3));
  Bytes terminated = utf16le("abc");
  terminated.resize(terminated.size() + 2);
  for (const Row& row : {Row{lone, false}, Row{embedded, false}, Row{terminated, true}}) {
    VhdBuilder builder = small_child();
    builder.locators = {{0x57327275, row.name}};
    builder.parent_name.clear();
    const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
    REQUIRE(paths.size() == 1);
    CHECK(paths[0].well_formed == row.well_formed);
    if (row.well_formed) CHECK(paths[0].path == "abc");
  }
}

TEST_CASE("V32: a bare parent name that fills its field is no file name and is left out") {
  VhdBuilder builder = small_child();
  builder.locators.clear();
  builder.parent_name = utf16be(std::string(256, 'n'));
  const auto cut = open_sound(memory_file(builder.build()));
  CHECK(has_warning(*cut, "V32"));
  CHECK(cut->info().parent->paths.empty());
  CHECK(cut->info().parent->file_offset == header_at);

  builder.parent_name = utf16be(std::string(255, 'n'));
  const auto longest = open_sound(memory_file(builder.build()));
  REQUIRE(longest->info().parent->paths.size() == 1);
  CHECK(longest->info().parent->paths[0].path == std::string(255, 'n'));
}

TEST_CASE("V33: reserved bytes and unused locators are ignored") {
  Bytes bytes = small_child().build();
  put_u32(bytes, header_at + 576 + 12, 7);
  put_u64(bytes, header_at + 576 + 5 * 24 + 16, 1234);
  fix_vhd_header(bytes, header_at);
  CHECK(open_sound(memory_file(bytes))->info().parent->paths.size() == 3);
  const CheckReport report = check_bytes(bytes);
  CHECK(has_finding(report, "V33"));
  CHECK(report.clean());
}

TEST_CASE("V34, V36: identity and time of the parent are handed on as stored") {
  const auto parent = open_sound(memory_file(small_child().build()))->info().parent;
  REQUIRE(parent);
  REQUIRE(parent->accepted_ids.size() == 1);
  CHECK(parent->accepted_ids[0].bytes == std::array<u8, 16>{1, 2, 3});
  CHECK(parent->parent_modified_time == 946684800 + 1000);
}

TEST_CASE("V35: a parent larger than the child needs the caller's word") {
  CHECK_FALSE(open_sound(memory_file(small_child().build()))->info().parent->larger_parent_allowed);
}

TEST_CASE("V38: parent fields in a dynamic image do not make it a child") {
  VhdBuilder builder = small_dynamic();
  builder.parent_unique_id = {1, 2, 3};
  builder.parent_name = utf16be("base.vhd");
  check_opens(builder.build(), content_of_small_dynamic(), "V38");
  CHECK_FALSE(open_sound(memory_file(builder.build()))->info().parent);
}
