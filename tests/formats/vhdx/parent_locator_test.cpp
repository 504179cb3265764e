// Rules X46 to X49 (FORMATS 5.2), and HOSTILE VHDX-91 to VHDX-99 and VHDX-106.
#include "formats/vhdx/parent_locator.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

constexpr std::string_view linkage = "{d0000000-1111-2222-3333-444444444444}";
const Refusal corrupt_shape{"X47", ErrorKind::corrupt};
const Refusal corrupt_linkage{"X48", ErrorKind::corrupt};

VhdxLocator pairs(std::initializer_list<std::pair<std::string_view, std::string_view>> texts) {
  VhdxLocator locator;
  for (const auto& [key, value] : texts) locator.emplace_back(wide(key), wide(value));
  return locator;
}
VhdxLocator usual() {
  return pairs({{"parent_linkage", linkage}, {"relative_path", ".\\parent.vhdx"}});
}

Result<ParentLocator> decode(const Bytes& item) {
  return decode_parent_locator(item, 0);
}
/// The usual item with one number overwritten.
Refusal refusal_with(u64 place, u64 value, std::size_t size) {
  Bytes item = locator_bytes(usual());
  const Bytes bytes = little(value, size);
  std::ranges::copy(bytes, item.begin() + static_cast<std::ptrdiff_t>(place));
  return refusal_of(decode(item));
}
/// A child whose relative path has these stored bytes.
ParentPath path_of(const Bytes& stored) {
  auto locator = pairs({{"parent_linkage", linkage}});
  locator.emplace_back(wide("relative_path"), stored);
  const auto decoded = decode(locator_bytes(locator));
  REQUIRE(decoded.has_value());
  return to_parent_link(*decoded).paths.at(0);
}

constexpr u64 first_pair = 20;

}  // namespace

TEST_CASE("a locator of five pairs is read as Windows writes it") {
  const auto decoded = decode(locator_bytes(
      pairs({{"parent_linkage", linkage},
             {"parent_linkage2", "{00000000-0000-0000-0000-000000000001}"},
             {"absolute_win32_path", "\\\\?\\c:\\dir\\parent.vhdx"},
             {"volume_path", "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\parent.vhdx"},
             {"relative_path", "..\\dir\\parent.vhdx"}})));
  REQUIRE(decoded.has_value());
  const auto link = to_parent_link(*decoded);
  REQUIRE(link.accepted_ids.size() == 2);
  CHECK(to_string(link.accepted_ids[0]) == "d0000000-1111-2222-3333-444444444444");
  CHECK(to_string(link.accepted_ids[1]) == "00000000-0000-0000-0000-000000000001");
  REQUIRE(link.paths.size() == 3);
  CHECK(link.paths[0].kind == "relative_path");
  CHECK(link.paths[0].path == "..\\dir\\parent.vhdx");
  CHECK(link.paths[1].kind == "volume_path");
  CHECK(link.paths[2].kind == "absolute_win32_path");
  CHECK(link.paths[2].well_formed);
}

TEST_CASE("X46: only the VHDX type of locator is known") {
  CHECK(refusal_with(0, 0x12345678, 4) == Refusal{"X46", ErrorKind::corrupt});
}

TEST_CASE("X47: strings lie inside the item, in whole UTF-16 units") {
  CHECK(refusal_with(first_pair, 0xFFFFFFFF, 4) == corrupt_shape);
  CHECK(refusal_with(first_pair + 4, 4096, 4) == corrupt_shape);
  CHECK(refusal_with(first_pair, 0, 4) == corrupt_shape);  // over the header
  CHECK(refusal_with(first_pair + 8, 27, 2) == corrupt_shape);
  CHECK(refusal_with(first_pair + 10, 75, 2) == corrupt_shape);
  CHECK(refusal_with(first_pair + 10, 65535, 2) == corrupt_shape);
  CHECK(refusal_with(first_pair + 8, 0, 2) == corrupt_shape);
  CHECK(refusal_with(first_pair + 10, 0, 2) == corrupt_shape);
}

TEST_CASE("X47: the number of pairs fits into the item and into the limit") {
  CHECK(refusal_with(18, 65535, 2) == corrupt_shape);
  auto many = usual();
  for (int index = 0; index < 300; ++index) {
    many.emplace_back(wide("key" + std::to_string(index)), wide("value"));
  }
  CHECK(refusal_of(decode(locator_bytes(many))) == corrupt_shape);
  many.resize(256);
  CHECK(refusal_of(decode(locator_bytes(many))) == opens);
}

TEST_CASE("X47: an item of ten bytes is no locator") {
  Bytes item = locator_bytes(usual());
  item.resize(10);
  CHECK(refusal_of(decode(item)) == corrupt_shape);
  item.clear();
  CHECK(refusal_of(decode(item)) == corrupt_shape);
}

TEST_CASE("X47: keys are unique") {
  auto locator = usual();
  locator.emplace_back(wide("parent_linkage"), wide("{00000000-0000-0000-0000-000000000001}"));
  CHECK(refusal_of(decode(locator_bytes(locator))) == corrupt_shape);
}

TEST_CASE("X47: keys and linkages are well-formed text") {
  auto locator = usual();
  locator.emplace_back(little(0xD800, 2), wide("value"));
  CHECK(refusal_of(decode(locator_bytes(locator))) == corrupt_shape);
  locator.back() = {wide(std::string_view("a\0b", 3)), wide("value")};
  CHECK(refusal_of(decode(locator_bytes(locator))) == corrupt_shape);
  locator.back() = {wide("parent_linkage2"), little(0xDC00, 2)};
  CHECK(refusal_of(decode(locator_bytes(locator))) == corrupt_shape);
}

TEST_CASE("X47: a malformed path is for the parent policy to refuse, not corrupt") {
  CHECK(path_of(wide(".\\parent.vhdx")).well_formed);
  const auto with_nul = path_of(wide(std::string_view("good.vhdx\0evil", 14)));
  CHECK_FALSE(with_nul.well_formed);
  CHECK_FALSE(path_of(little(0xD83D, 2)).well_formed);
  const auto empty = path_of({});
  CHECK_FALSE(empty.well_formed);
  CHECK(empty.path.empty());
}

TEST_CASE("a path of 30,000 characters is read whole") {
  const std::string text(30'000, 'a');
  CHECK(path_of(wide(text)).path == text);
}

TEST_CASE("X48: parent_linkage is there and is a GUID") {
  CHECK(refusal_of(decode(locator_bytes(pairs({{"relative_path", "p"}})))) == corrupt_linkage);
  CHECK(refusal_of(decode(locator_bytes(pairs({{"parent_linkage", "nonsense"}})))) ==
        corrupt_linkage);
  CHECK(refusal_of(decode(locator_bytes(
            pairs({{"parent_linkage", linkage}, {"parent_linkage2", "{}"}})))) == corrupt_linkage);
  CHECK(refusal_of(decode(locator_bytes({}))) == corrupt_linkage);
}

TEST_CASE("quirk 34: parent_linkage in upper case, or without braces") {
  for (const auto text :
       {"{D0000000-1111-2222-3333-44444444AAAA}", "D0000000-1111-2222-3333-44444444AAAA",
        "d0000000-1111-2222-3333-44444444aaaa"}) {
    const auto decoded = decode(locator_bytes(pairs({{"parent_linkage", text}})));
    REQUIRE(decoded.has_value());
    CHECK(to_string(to_parent_link(*decoded).accepted_ids.at(0)) ==
          "d0000000-1111-2222-3333-44444444aaaa");
  }
}

TEST_CASE("X49: a locator without any path opens with a warning") {
  VhdxBuilder child;
  child.has_parent = true;
  child.locator = pairs({{"parent_linkage", linkage}});
  CHECK(refusal(*child.build()) == opens);
  CHECK(warns(*child.build(), "X49"));
  CHECK(to_parent_link(*read_layout(*child.build(), {})->metadata.locator).paths.empty());
}

TEST_CASE("a broken locator refuses the whole image") {
  VhdxBuilder child;
  child.has_parent = true;
  child.locator = pairs({{"relative_path", "p"}});
  CHECK(refusal(*child.build()) == corrupt_linkage);
}

TEST_CASE("a locator is encoded as by hand: strings packed behind the table, key then value") {
  const auto item =
      encode(make_parent_locator({.format = "vhdx",
                                  .content_id = *parse_guid("D0000000-1111-2222-3333-444444444444"),
                                  .disk_id = {},
                                  .geometry = {},
                                  .file_name = "parent.vhdx",
                                  .relative_path = ".\\parent.vhdx",
                                  .absolute_win32_path = ""}));
  REQUIRE(item.has_value());
  CHECK(*item == locator_bytes(usual()));
}

TEST_CASE("text that is not UTF-8 or too long is refused when encoding") {
  ParentLocator locator;
  locator.set("relative_path", "\xFF");
  CHECK(encode(locator).error().code == Errc::invalid_argument);
  locator.set("relative_path", std::string(40'000, 'a'));
  CHECK(encode(locator).error().code == Errc::invalid_argument);
  locator.set("relative_path", "short");
  CHECK(encode(locator).has_value());
  CHECK(locator.entries.size() == 1);
  locator.erase("relative_path");
  CHECK(locator.entries.empty());
}
