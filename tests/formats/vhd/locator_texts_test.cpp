/// Texts of parent locators at the edges: escapes of URLs, names that cannot be stored.
#include "formats/vhd/parent_locators.h"
#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

/// The only path of a child whose MacX locator holds this URL.
ParentPath path_of_url(std::string_view url) {
  VhdBuilder builder = small_dynamic();
  builder.footer.disk_type = 4;
  builder.parent_unique_id[0] = 1;
  Bytes name;
  for (const char letter : url) name.push_back(static_cast<std::byte>(letter));
  builder.locators = {{vhd::code_mac_url, name}};
  const auto paths = open_sound(memory_file(builder.build()))->info().parent->paths;
  REQUIRE(paths.size() == 1);
  return paths[0];
}

Errc refusal(std::vector<ParentPath> paths) {
  const auto encoded = vhd::encode_locators(paths);
  return encoded ? Errc::success : encoded.error().code;
}

}  // namespace

TEST_CASE("escapes of URLs: digits and letters of either case") {
  CHECK(path_of_url("file:///%41%4a%4Ab").path == "/AJJb");
  CHECK(path_of_url("file:///%c3%A4").path == "/\xC3\xA4");
  CHECK(path_of_url("file:///x%20").path == "/x ");
}

TEST_CASE("escapes of URLs: what is none stays as it is") {
  for (const std::string_view text : {"/%", "/%4", "/%4g", "/%g4", "/%%41x", "/a%2"}) {
    const auto path = path_of_url("file://" + std::string(text));
    CHECK(path.path == (text == "/%%41x" ? "/%Ax" : text));
    CHECK(path.well_formed);
  }
}

TEST_CASE("parent paths that a locator cannot hold are refused") {
  CHECK(refusal({}) == Errc::invalid_argument);
  CHECK(refusal({{"MacX", "x"}}) == Errc::invalid_argument);
  CHECK(refusal({{"W2ru", ""}}) == Errc::invalid_argument);
  CHECK(refusal({{"W2ru", "\xFF"}}) == Errc::invalid_argument);
  CHECK(refusal({{"W2ru", std::string(32769, 'x')}}) == Errc::invalid_argument);
  CHECK(refusal({{"W2ru", std::string(32768, 'x')}}) == Errc::success);
  CHECK(refusal({{"W2ru", "x"}, {"W2ku", "\xC3"}}) == Errc::invalid_argument);
}
