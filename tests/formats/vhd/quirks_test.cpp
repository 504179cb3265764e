/// What real producers do (FORMATS 5.3, VHD part) and files that mean to deceive.
#include "formats/formats.h"
#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 header_at = VhdBuilder::header_offset;
constexpr u64 table_at = VhdBuilder::table_offset;

void check_content(const Bytes& bytes, const Bytes& content) {
  CHECK(read_all(*open_sound(memory_file(bytes))) == content);
}

}  // namespace

TEST_CASE("quirk 2: a 511-byte footer is read, and becomes 512 bytes when written") {
  const Bytes content = pattern(0, 64 * kib, 3);
  Bytes fixed = make_fixed_vhd(content);
  fixed.pop_back();
  check_content(fixed, content);
  Bytes dynamic = small_dynamic().build();
  dynamic.pop_back();
  check_content(dynamic, content_of_small_dynamic());
  for (const Bytes& bytes : {fixed, dynamic}) {
    const auto file = memory_file(bytes);
    (void)open_sound(file, Access::read_write);
    Bytes expected = bytes;
    expected.push_back(std::byte{});
    CHECK(file->content() == expected);
  }
}

TEST_CASE("quirk 3: data space in sectors or bytes or wrong does not matter") {
  for (const u32 space : {0U, 1U, 512U, 1024U, 0xFFFFFFFFU}) {
    VhdBuilder builder = small_dynamic();
    builder.footer.disk_type = 4;
    builder.parent_unique_id[0] = 1;
    builder.locators = {{0x57327275, utf16le(".\\base.vhd"), space}};
    const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
    REQUIRE(paths.size() == 1);
    CHECK(paths[0].path == ".\\base.vhd");
  }
}

TEST_CASE("quirk 6: geometry smaller than the size counts only when the caller says so") {
  VhdBuilder builder = small_dynamic();
  builder.footer.geometry = {0, 10, 4, 17};
  const auto size_with = [&](std::string_view creator, VhdSize authority) {
    builder.footer.creator_application = creator;
    ImageOptions options;
    options.vhd_size = authority;
    return (*vhd::format.open(memory_file(builder.build()), options))->geometry().virtual_size;
  };
  const u64 current = builder.footer.current_size;
  CHECK(size_with("vpc ", VhdSize::current) == current);
  CHECK(size_with("vpc ", VhdSize::chs) == 10 * 4 * 17 * 512);
  CHECK(size_with("qemu", VhdSize::chs) == 10 * 4 * 17 * 512);
  for (const char* creator : {"win ", "qem2", "vbox", "tap", "\x01\x02", "d2v"}) {
    CHECK(size_with(creator, VhdSize::chs) == current);
  }
  builder.footer.geometry = {0xFF, 0xFF, 16, 255};
  CHECK(size_with("vpc ", VhdSize::chs) == current);
  builder.footer.geometry = {0x40, 0, 16, 63};  // larger than the size
  CHECK(size_with("vpc ", VhdSize::chs) == current);
}

TEST_CASE("quirk 7: zeros behind the last BAT entry") {
  Bytes bytes = small_dynamic().build();
  std::fill(bytes.begin() + table_at + 5 * 4, bytes.begin() + table_at + 512, std::byte{});
  check_content(bytes, content_of_small_dynamic());
  CHECK(check_bytes(bytes).clean());
}

TEST_CASE("quirk 8: spare room between the data and the footer") {
  Bytes bytes = small_dynamic().build();
  const Bytes footer(bytes.end() - 512, bytes.end());
  bytes.resize(bytes.size() - 512);
  bytes.resize(bytes.size() + 10 * 512);
  bytes.insert(bytes.end(), footer.begin(), footer.end());
  check_content(bytes, content_of_small_dynamic());
  CHECK(check_bytes(bytes).clean());
}

TEST_CASE("quirk 11: creator and host may be anything") {
  VhdBuilder builder = small_dynamic();
  for (const char* creator : {"", "zzzz", "\xFF\x80\x01 "}) {
    builder.footer.creator_application = creator;
    builder.footer.creator_host_os = "";
    check_content(builder.build(), content_of_small_dynamic());
    CHECK(check_bytes(builder.build()).clean());
  }
  CHECK(open_sound(memory_file(builder.build()))->info().creator ==
        "\xEF\xBF\xBD\xEF\xBF\xBD\x01 10.0");
  builder.footer.creator_application = "d2v";
  builder.footer.creator_version = 0x00010000;
  CHECK(open_sound(memory_file(builder.build()))->info().creator == "d2v 1.0");
}

TEST_CASE("quirk 13, 14: locators in any slot and of any age, in the order of trust") {
  VhdBuilder builder = small_dynamic();
  builder.footer.disk_type = 4;
  builder.parent_unique_id[0] = 1;
  const auto ascii = [](std::string_view text) {
    Bytes bytes;
    for (const char letter : text) bytes.push_back(static_cast<std::byte>(letter));
    return bytes;
  };
  builder.parent_name = utf16be("D:\\full\\name.vhd");
  builder.locators = {{0, {}},
                      {0x57693272, ascii("old.vhd")},
                      {0x5769326B, ascii("C:\\old.vhd")},
                      {0x4D616358, ascii("file://localhost/a%20b/base.vhd")},
                      {0x4D616320, Bytes(20, std::byte{7})},
                      {0x57326B75, utf16le("base.vhd")},
                      {0x57327275, utf16le(".\\dir\\base.vhd")}};
  const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
  REQUIRE(paths.size() == 6);
  CHECK(paths[0].kind == "W2ru");
  CHECK(paths[0].path == ".\\dir\\base.vhd");
  CHECK(paths[1].kind == "W2ku");
  CHECK(paths[1].path == "base.vhd");
  CHECK(paths[2].kind == "MacX");
  CHECK(paths[2].path == "/a b/base.vhd");
  CHECK(paths[3].kind == "Wi2r");
  CHECK(paths[4].kind == "Wi2k");
  CHECK(paths[5].kind == "parent_name");
  CHECK(paths[5].path == "D:\\full\\name.vhd");
  for (const ParentPath& path : paths) CHECK(path.well_formed);
}

TEST_CASE("quirk 13: URLs that are no files, and escaped NULs, are not followed") {
  for (const char* url : {"http://host/base.vhd", "file:///a%00b", "file:///%FF"}) {
    VhdBuilder builder = small_dynamic();
    builder.footer.disk_type = 4;
    builder.parent_unique_id[0] = 1;
    Bytes name;
    for (const char* letter = url; *letter != 0; ++letter) {
      name.push_back(static_cast<std::byte>(*letter));
    }
    builder.locators = {{0x4D616358, name}};
    const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
    REQUIRE(paths.size() == 1);
    CHECK_FALSE(paths[0].well_formed);
  }
}

TEST_CASE("a full path that fills the field of the parent's name without terminator") {
  VhdBuilder builder = small_dynamic();
  builder.footer.disk_type = 4;
  builder.parent_unique_id[0] = 1;
  const std::string full = "D:\\d\\" + std::string(251, 'n');
  builder.parent_name = utf16be(full);
  const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
  REQUIRE(paths.size() == 1);
  CHECK(paths[0].path == full);
}

TEST_CASE("quirk 17: blktap's hidden flag was left out of the checksum") {
  VhdBuilder builder = small_dynamic();
  builder.footer.creator_application = "tap";
  for (const u32 version : {0x00000001U, 0x00010001U, 0x00010000U}) {
    builder.footer.creator_version = version;
    Bytes bytes = builder.build();
    put_u8(bytes, 85, 1);
    put_u8(bytes, bytes.size() - 512 + 85, 1);
    const bool excepted = version != 0x00010000U;
    CHECK(open_vhd(memory_file(bytes)).has_value() == excepted);
  }
}

TEST_CASE("quirk 18: a poisoned cookie is refused in plain words") {
  Bytes bytes = small_dynamic().build();
  put_text(bytes, 0, "v_poison");
  put_text(bytes, bytes.size() - 512, "v_poison");
  const auto image = open_vhd(memory_file(bytes));
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == Errc::unsupported);
  CHECK(image.error().message.find("disabled") != std::string::npos);
}

TEST_CASE("VHD-18: a guest's footer at offset 0 does not make a fixed disk differencing") {
  VhdBuilder forged = small_dynamic();
  forged.footer.disk_type = 4;
  forged.parent_unique_id[0] = 1;
  forged.locators = {{0x57327275, utf16le("..\\..\\etc\\shadow")}};
  Bytes content = forged.build();
  content.resize(2 * mib + 64 * kib);
  const auto file = memory_file(make_fixed_vhd(content));
  const auto image = open_sound(file);
  CHECK(image->info().type == ImageType::fixed);
  CHECK_FALSE(image->info().parent);
  CHECK(read_all(*image) == content);
}

TEST_CASE("a header and a BAT that lie behind the blocks") {
  const Bytes sound = small_dynamic().build();
  Bytes bytes(sound.begin(), sound.end() - 512);
  const u64 moved = bytes.size();
  bytes.insert(bytes.end(), sound.begin() + header_at, sound.begin() + table_at + 512);
  put_u64(bytes, moved + 16, moved + 1024);
  fix_vhd_header(bytes, moved);
  std::fill(bytes.begin() + header_at, bytes.begin() + table_at + 512, std::byte{});
  put_u64(bytes, 16, moved);
  fix_vhd_footer(bytes, 0);
  bytes.insert(bytes.end(), bytes.begin(), bytes.begin() + 512);
  check_content(bytes, content_of_small_dynamic());
  CHECK(check_bytes(bytes).clean());
}
