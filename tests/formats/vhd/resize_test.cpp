/// Expanding with and without room behind the BAT, and linking to another parent.
#include "image_access.h"
#include "support/counting_file.h"
#include "support/fault_file.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 header_at = VhdBuilder::header_offset;

VhdBuilder tiny(u32 disk_type, u64 blocks) {
  VhdBuilder builder;
  builder.footer.disk_type = disk_type;
  builder.block_size = 4096;
  builder.footer.current_size = blocks * 4096;
  if (disk_type == 4) {
    builder.parent_unique_id[0] = 1;
    builder.parent_name = utf16be("base.vhd");
  }
  builder.blocks[1].data = pattern(0, 4096, 1);
  builder.blocks[blocks - 1].data = pattern(0, 4096, 2);
  return builder;
}

Bytes content_of(const VhdBuilder& builder, u64 size) {
  Bytes content(builder.footer.current_size);
  for (const auto& [index, block] : builder.blocks) {
    const u64 room = std::min<u64>(block.data.size(), content.size() - index * 4096);
    std::copy_n(block.data.begin(), room,
                content.begin() + static_cast<std::ptrdiff_t>(index * 4096));
  }
  content.resize(size);
  return content;
}

/// Expands, counts flushes, reopens, writes at the new end.
void check_expand(const Bytes& bytes, const Bytes& content, u64 new_size) {
  const auto file = memory_file(bytes);
  const auto counting = std::make_shared<CountingFile>(file);
  Bytes expected = content;
  expected.resize(new_size);
  {
    const auto image = open_sound(counting, Access::read_write);
    REQUIRE(image->expand(new_size).has_value());
    CHECK(counting->counts().flushes <= 3);
    CHECK(image->geometry().virtual_size == new_size);
    CHECK(read_all(*image) == expected);
  }
  CHECK(read_all(*open_sound(file)) == expected);
  CHECK(open_sound(file)->info().warnings.empty());
  const auto image = open_sound(file, Access::read_write);
  const Bytes data = pattern(new_size - 512, 512, 5);
  REQUIRE(write_image(*image, new_size - 512, data).has_value());
  std::ranges::copy(data, expected.end() - 512);
  REQUIRE(image->close().has_value());
  CHECK(read_all(*open_sound(file)) == expected);
  CheckReport report;
  REQUIRE(vhd::format.check(*file, report).has_value());
  for (const Finding& finding : report.findings) {
    if (finding.severity != Severity::info) MESSAGE(finding.id << ": " << finding.message);
  }
  CHECK(report.clean());
}

}  // namespace

TEST_CASE("expand: inside the padding of the BAT") {
  const VhdBuilder builder = tiny(3, 8);
  check_expand(builder.build(), content_of(builder, 8 * 4096), 100 * 4096);
}

TEST_CASE("expand: inside spare entries, whatever they hold") {
  VhdBuilder builder = tiny(3, 8);
  builder.max_table_entries = 120;
  Bytes bytes = builder.build();
  for (u64 n = 8; n < 120; ++n) put_u32(bytes, VhdBuilder::table_offset + n * 4, 7);
  check_expand(bytes, content_of(builder, 8 * 4096), 100 * 4096 + 512);
}

TEST_CASE("expand: into the gap behind the BAT") {
  VhdBuilder builder = tiny(3, 8);
  builder.max_table_entries = 1000;  // leaves a gap when the header claims fewer
  Bytes bytes = builder.build();
  put_u32(bytes, header_at + 28, 8);
  fix_vhd_header(bytes, header_at);
  std::fill_n(bytes.begin() + VhdBuilder::table_offset + 512, 1000 * 4 - 512, std::byte{0x11});
  const auto file = memory_file(bytes);
  const u64 size = *file->size();
  REQUIRE(open_sound(file, Access::read_write)->expand(900 * 4096).has_value());
  CHECK(*file->size() == size);
  check_expand(bytes, content_of(builder, 8 * 4096), 900 * 4096);
}

TEST_CASE("expand: a new header and BAT behind everything else") {
  const VhdBuilder builder = tiny(3, 8);
  check_expand(builder.build(), content_of(builder, 8 * 4096), 2000 * 4096);
  VhdBuilder child = tiny(4, 8);
  child.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  check_expand(child.build(), content_of(child, 8 * 4096), 2000 * 4096 + 1024);
}

TEST_CASE("expand: again and again, and with writes between") {
  const VhdBuilder builder = tiny(3, 8);
  const auto file = memory_file(builder.build());
  Bytes expected = content_of(builder, 8 * 4096);
  const auto image = open_sound(file, Access::read_write);
  for (const u64 blocks : {u64{100}, u64{300}, u64{301}, u64{1500}, u64{1500}, u64{4000}}) {
    const u64 old_size = expected.size();
    REQUIRE(image->expand(blocks * 4096).has_value());
    expected.resize(blocks * 4096);
    if (blocks * 4096 > old_size) {
      const Bytes data = pattern(old_size, 1024, blocks);
      REQUIRE(write_image(*image, old_size, data).has_value());
      std::ranges::copy(data, expected.begin() + static_cast<std::ptrdiff_t>(old_size));
    }
    CHECK(read_all(*image) == expected);
  }
  REQUIRE(image->close().has_value());
  CHECK(read_all(*open_sound(file)) == expected);
}

TEST_CASE("expand: what the last block held behind the end reads as zeros") {
  for (const u32 type : {3U, 4U}) {
    VhdBuilder builder = tiny(type, 8);
    builder.footer.current_size = 7 * 4096 + 1024;
    check_expand(builder.build(), content_of(builder, builder.footer.current_size), 8 * 4096);
    check_expand(builder.build(), content_of(builder, builder.footer.current_size), 50 * 4096);
  }
}

TEST_CASE("expand: a block that is reserved stays where it is") {
  const auto image = open_sound(memory_file(tiny(3, 8).build()), Access::read_write);
  const auto extent = image->reserve(0, 512);
  REQUIRE(image->file().write_at(extent->file_offset, pattern(0, 512, 5)).has_value());
  REQUIRE(image->expand(2000 * 4096).has_value());
  REQUIRE(write_image(*image, 1999 * 4096, pattern(0, 512, 6)).has_value());
  REQUIRE(image->commit(*extent).has_value());
  CHECK(*read_image(*image, 0, 512) == pattern(0, 512, 5));
  CHECK(*read_image(*image, 1999 * 4096, 512) == pattern(0, 512, 6));
}

TEST_CASE("expand: fixed, with and without a gap before the footer") {
  const Bytes content = pattern(0, 64 * kib, 3);
  check_expand(make_fixed_vhd(content), content, 64 * kib + 512);
  check_expand(make_fixed_vhd(content), content, mib);
  Bytes gap = make_fixed_vhd(content);
  put_u64(gap, gap.size() - 512 + 48, 32 * kib);
  fix_vhd_footer(gap, gap.size() - 512);
  check_expand(gap, Bytes(content.begin(), content.begin() + 32 * kib), 48 * kib);
  check_expand(gap, Bytes(content.begin(), content.begin() + 32 * kib), 64 * kib);
  check_expand(gap, Bytes(content.begin(), content.begin() + 32 * kib), mib);
}

TEST_CASE("expand: a fixed disk whose growth was interrupted keeps its old size") {
  const Bytes content = pattern(0, 16 * kib, 3);
  const Bytes sound = make_fixed_vhd(content);
  const Bytes footer(sound.end() - 512, sound.end());
  for (const int torn : {0, 1, 2}) {  // nothing, the first and the second 64 bytes of the new one
    CAPTURE(torn);
    Bytes bytes = sound;
    bytes.resize(64 * kib);
    if (torn == 1) std::copy_n(footer.begin(), 64, bytes.end() - 512);
    if (torn == 2) std::copy_n(footer.begin() + 64, 64, bytes.end() - 448);
    CHECK(*vhd::format.lost_signature(*memory_file(bytes)));
    CHECK(read_all(*open_sound(memory_file(bytes))) == content);
    const auto file = memory_file(bytes);
    REQUIRE(open_sound(file, Access::read_write)->close().has_value());
    CHECK(file->content() == sound);
  }
  Bytes foreign = sound;
  foreign.resize(64 * kib);
  put_u8(foreign, 64 * kib - 100, 1);  // no part of that footer
  CHECK_FALSE(open_vhd(memory_file(foreign)).has_value());
  Bytes followed = sound;
  followed.resize(64 * kib);
  put_u8(followed, 32 * kib, 1);
  CHECK_FALSE(open_vhd(memory_file(followed)).has_value());
}

TEST_CASE("expand: a guest's copy of a dynamic footer makes an interrupted growth ambiguous") {
  VhdBuilder forged = tiny(3, 8);
  Bytes content = forged.build();
  content.resize(128 * kib);
  Bytes bytes = make_fixed_vhd(content);
  CHECK(open_sound(memory_file(bytes))->info().type == ImageType::fixed);
  bytes.resize(mib);
  const auto image = open_vhd(memory_file(bytes));
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == Errc::footer_invalid);
}

TEST_CASE("expand: geometry follows, the original size stays") {
  const auto file = memory_file(tiny(3, 8).build());
  REQUIRE(open_sound(file, Access::read_write)->expand(3 * mib).has_value());
  const Bytes bytes = file->content();
  CHECK(get_u64(bytes, 40) == 8 * 4096);
  CHECK(get_u64(bytes, 48) == 3 * mib);
  CHECK(get_u32(bytes, 56) == 0x005A0411);
}

TEST_CASE("expand: a write that fails leaves the old or the new size, and the content") {
  const Bytes content = pattern(0, 32 * kib, 3);
  VhdBuilder builder = tiny(3, 8);
  const Bytes sparse_content = content_of(builder, 8 * 4096);
  for (const bool fixed : {true, false}) {
    for (u64 index = 0; index < 12; ++index) {
      CAPTURE(index);
      const auto file = memory_file(fixed ? make_fixed_vhd(content) : builder.build());
      const auto fault = std::make_shared<FaultFile>(file);
      auto image = open_sound(fault, Access::read_write);
      fault->inject({FaultyCall::write, index, Errc::no_space, false});
      const bool done = image->expand(2000 * 4096).has_value();
      CHECK(done == (fault->failures() == 0));
      (void)image->close();
      image = open_sound(file, Access::read_write);
      Bytes expected = fixed ? content : sparse_content;
      const u64 size = image->geometry().virtual_size;
      CHECK((size == expected.size() || size == 2000 * 4096));
      expected.resize(size);
      CHECK(read_all(*image) == expected);
      CHECK(image->expand(2000 * 4096).has_value());
      expected.resize(2000 * 4096);
      CHECK(read_all(*open_sound(file)) == expected);
    }
  }
}

TEST_CASE("expand: sizes that cannot be") {
  for (const Bytes& bytes : {tiny(3, 8).build(), make_fixed_vhd(pattern(0, 64 * kib, 3))}) {
    const auto image = open_sound(memory_file(bytes), Access::read_write);
    CHECK(image->expand(64 * kib + 100).error().code == Errc::invalid_argument);
    CHECK(image->expand(2040 * gib + 512).error().code == Errc::invalid_argument);
    CHECK(image->expand(4096).error().code == Errc::cannot_shrink);
    CHECK(image->expand(image->geometry().virtual_size).has_value());
  }
  const auto image = open_sound(memory_file(tiny(3, 8).build()), Access::read_write);
  CHECK(image->expand(2040 * gib).error().code == Errc::limit);  // too many blocks of 4 KiB
}

TEST_CASE("link_parent: only the id, in place") {
  VhdBuilder builder = tiny(4, 8);
  builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
  const auto file = memory_file(builder.build());
  const u64 size = *file->size();
  ParentLink link;
  link.accepted_ids.push_back(random_guid());
  link.parent_modified_time = 946684800 + 5;
  REQUIRE(open_sound(file, Access::read_write)->link_parent(link).has_value());
  CHECK(*file->size() == size);
  const auto image = open_sound(file);
  CHECK(image->info().parent->accepted_ids == link.accepted_ids);
  CHECK(image->info().parent->parent_modified_time == 946684800 + 5);
  CHECK(image->info().parent->paths[0].path == ".\\base.vhd");
  CHECK(read_all(*image) == content_of(builder, 8 * 4096));
}

TEST_CASE("link_parent: new paths, of any length") {
  for (const u64 length : {u64{10}, u64{255}, u64{3000}}) {
    CAPTURE(length);
    VhdBuilder builder = tiny(4, 8);
    builder.locators = {{0x57327275, utf16le(".\\base.vhd")}};
    const auto file = memory_file(builder.build());
    const std::string name = std::string(length, 'n') + ".vhd";
    ParentLink link;
    link.accepted_ids.push_back(random_guid());
    link.paths = {{"relative_path", ".\\" + name}, {"absolute_win32_path", "C:\\d\\" + name}};
    const auto image = open_sound(file, Access::read_write);
    REQUIRE(image->link_parent(link).has_value());
    REQUIRE(write_image(*image, 0, pattern(0, 4096, 9)).has_value());
    REQUIRE(image->close().has_value());
    const auto again = open_sound(file);
    CHECK(again->info().warnings.empty());
    const auto paths = again->info().parent->paths;
    REQUIRE(paths.size() == 3);
    CHECK(paths[0].path == ".\\" + name);
    CHECK(paths[1].path == "C:\\d\\" + name);
    CHECK(paths[2].path == name.substr(0, 255));
    CHECK(*read_image(*again, 0, 4096) == pattern(0, 4096, 9));
    CHECK(*read_image(*again, 4096, 4096) == pattern(0, 4096, 1));
  }
}

TEST_CASE("link_parent: refused where there is no parent, or none is given") {
  ParentLink link;
  link.accepted_ids.push_back(random_guid());
  for (const Bytes& bytes : {tiny(3, 8).build(), make_fixed_vhd(pattern(0, 4096, 3))}) {
    const auto image = open_sound(memory_file(bytes), Access::read_write);
    CHECK(image->link_parent(link).error().code == Errc::wrong_disk_kind);
  }
  const auto image = open_sound(memory_file(tiny(4, 8).build()), Access::read_write);
  CHECK(image->link_parent({}).error().code == Errc::invalid_argument);
  link.paths = {{"MacX", "x"}};
  CHECK(image->link_parent(link).error().code == Errc::invalid_argument);
}
