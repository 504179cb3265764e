/// Specifies tools/vdisk-tool/size.h: sizes are strict, so that a typing error never is a size.
#include "size.h"

#include <doctest/doctest.h>

using namespace vdisk;
using namespace vdisk::tool;

TEST_CASE("sizes are whole numbers of bytes, K, M, G or T, in either case") {
  const struct {
    const char* text;
    u64 bytes;
  } cases[] = {
      {"1", 1},
      {"512", 512},
      {"1K", 1024},
      {"1k", 1024},
      {"1KiB", 1024},
      {"1kib", 1024},
      {"3M", 3ULL << 20},
      {"3mib", 3ULL << 20},
      {"10G", 10ULL << 30},
      {"10GiB", 10ULL << 30},
      {"64T", 64ULL << 40},
      {"64TiB", 64ULL << 40},
      {"0010", 10},
      {"18446744073709551615", 0xFFFFFFFFFFFFFFFFULL},
  };
  for (const auto& c : cases) {
    INFO(c.text);
    const auto parsed = parse_size(c.text);
    REQUIRE(parsed.has_value());
    CHECK(*parsed == c.bytes);
  }
}

TEST_CASE("what is no size is refused, and the reason names what was typed") {
  const char* const cases[] = {"0",     "-1",   "1e99",  "18446744073709551616",
                               "64T+1", "0x10", "0.3",   "",
                               " ",     " 10G", "10G ",  "10GG",
                               "nan",   "inf",  "1.5G",  "16777216T",
                               "1KB",   "1B",   "1KiBB", "K",
                               "+1",    "1,5",  "1_000", "\xD9\xA1"};
  for (const char* text : cases) {
    INFO(text);
    const auto parsed = parse_size(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Errc::invalid_argument);
    CHECK(parsed.error().message.find(text) != std::string::npos);
  }
}

TEST_CASE("a fraction is answered with the whole number that it stands for") {
  const struct {
    const char* text;
    const char* answer;
  } cases[] = {{"1.5G", "such as 1536M"},
               {"1.5M", "such as 1536K"},
               {"0.5TiB", "such as 512G"},
               {"2.25k", "such as 2304"},
               {"1.3M", "such as 1331K"},
               {"1.5", "expected a whole number of bytes"},
               {"1.5X", "expected a whole number"},
               {"1.", "expected a whole number"},
               {"0.0001M", "expected a whole number"},
               {"1.2.3G", "expected a whole number"},
               {"99999999999.5G", "expected a whole"},
               {"1.99999999999999999999G", "expected a whole number"}};
  for (const auto& c : cases) {
    INFO(c.text);
    const auto parsed = parse_size(c.text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message.find(c.answer) != std::string::npos);
  }
  CHECK(parse_size("2.25K").error().message.ends_with("such as 2304"));
}

TEST_CASE("offsets may be zero") {
  CHECK(parse_offset("0").value() == 0);
  CHECK(parse_offset("0T").value() == 0);
  CHECK_FALSE(parse_offset("-0").has_value());
}

TEST_CASE("relative sizes are added to the present size or taken from it, without wrapping") {
  CHECK(parse_relative_size("+1G", 1).value() == (1ULL << 30) + 1);
  CHECK(parse_relative_size("-1K", 4096).value() == 3072);
  CHECK(parse_relative_size("5", 4096).value() == 5);
  CHECK_FALSE(parse_relative_size("-4096", 4096).has_value());
  CHECK_FALSE(parse_relative_size("-4097", 4096).has_value());
  CHECK_FALSE(parse_relative_size("+18446744073709551615", 1).has_value());
  CHECK_FALSE(parse_relative_size("+0", 1).has_value());
  CHECK_FALSE(parse_relative_size("++1", 1).has_value());
  CHECK_FALSE(parse_relative_size("+", 1).has_value());
}

TEST_CASE("numbers are decimal or hexadecimal and limited") {
  CHECK(parse_number("0", 255).value() == 0);
  CHECK(parse_number("255", 255).value() == 255);
  CHECK(parse_number("0xfF", 255).value() == 255);
  for (const char* text : {"256", "-1", "", "0x", "1 ", "1K", "0x100"})
    CHECK_FALSE(parse_number(text, 255).has_value());
}

TEST_CASE("sizes are shown in the largest unit, and exactly where that is not exact") {
  CHECK(short_size(0) == "0 bytes");
  CHECK(short_size(1) == "1 byte");
  CHECK(short_size(1023) == "1023 bytes");
  CHECK(short_size(1536) == "1.5 KiB");
  CHECK(short_size(64ULL << 30) == "64 GiB");
  CHECK(short_size((1ULL << 20) + 1) == "1 MiB");
  CHECK(full_size((1ULL << 20) + 1) == "1 MiB (1048577 bytes)");
  CHECK(full_size(100) == "100 bytes");
}
