/// Specifies the small parts of the tool: ranges, profiles, hints, exit codes, words for images.
#include <doctest/doctest.h>

#include "errors.h"
#include "guest_range.h"
#include "images.h"
#include "profiles.h"

using namespace vdisk;
using namespace vdisk::tool;

TEST_CASE("a range is refused as a whole when a part of it lies behind the end") {
  CHECK(resolve_range(100, "d", {.offset = 10}).value().length == 90);
  CHECK(resolve_range(100, "d", {.offset = 100}).value().length == 0);
  CHECK(resolve_range(100, "d", {.offset = 0, .length = 100}).value().length == 100);
  CHECK(resolve_range(100, "d", {.offset = 1, .length = 100}).error().code == Errc::end_of_file);
  CHECK(resolve_range(100, "d", {.offset = 101}).error().code == Errc::end_of_file);
  const u64 huge = ~u64{0};
  CHECK(resolve_range(100, "d", {.offset = 50, .length = huge}).error().code == Errc::end_of_file);
  CHECK(resolve_range(huge, "d", {.offset = huge, .length = 1}).error().code == Errc::end_of_file);
}

TEST_CASE("profiles fill what is open, and refuse what contradicts them") {
  const auto* const azure = find_profile("azure");
  REQUIRE(azure != nullptr);
  Target target;
  REQUIRE(apply_profile(*azure, {}, target).has_value());
  CHECK(target.format == "vhd");
  CHECK(target.type == ImageType::fixed);
  CHECK(target.size_multiple == mib);

  Target contradicting;
  contradicting.type = ImageType::dynamic;
  CHECK(apply_profile(*azure, {}, contradicting).error().code == Errc::invalid_argument);
  Target named;
  CHECK(apply_profile(*azure, "vhdx", named).error().code == Errc::invalid_argument);
  Target chosen;
  chosen.block_size = 1 << 20;
  REQUIRE(apply_profile(*find_profile("hyperv"), "vhdx", chosen).has_value());
  CHECK(chosen.block_size == 1 << 20);
  CHECK(find_profile("aws") == nullptr);
}

TEST_CASE("the code decides the exit status and the hint") {
  CHECK(exit_code({Errc::invalid_argument, ""}) == 3);
  CHECK(exit_code({Errc::file_exists, ""}) == 2);
  CHECK(exit_code({Errc::io, "", 32}) == 128 + 13);
  CHECK(hint_for({Errc::not_image, ""}, "info").value().find("--format raw") != std::string::npos);
  CHECK(hint_for({Errc::not_image, ""}, "convert").value().find("--source-format raw") !=
        std::string::npos);
  CHECK(hint_for({Errc::file_exists, ""}, "create").value().find("--force") != std::string::npos);
  CHECK(hint_for({Errc::invalid_argument, ""}, "map").value().find("map --help") !=
        std::string::npos);
  CHECK_FALSE(hint_for({Errc::io, ""}, "map").has_value());
}

TEST_CASE("times are ISO 8601 in UTC for every year that an image can name") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00Z");
  CHECK(iso_time(946684800) == "2000-01-01T00:00:00Z");
  CHECK(iso_time(946684800 + i64{0xFFFFFFFF}) == "2136-02-07T06:28:15Z");
}
