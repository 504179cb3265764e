/// Specifies tools/vdisk-tool/output.h: nothing from an image can act on a terminal or break JSON.
#include "output.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vdisk::tool;

TEST_CASE("printable text of every script stays as it is") {
  for (const char* text : {"disk.vhdx", "C:\\images\\base.vhd", "\xC3\xA4\xC3\xB6", "\xE6\x97\xA5",
                           "\xF0\x9F\x92\xBE", ""})
    CHECK(escaped(text) == text);
}

TEST_CASE("control characters and escape sequences are spelled out") {
  CHECK(escaped("a\nb\rc\td") == "a\\nb\\rc\\td");
  CHECK(escaped("\x1b[31mred") == "\\x1b[31mred");
  CHECK(escaped("\x7f") == "\\x7f");
  CHECK(escaped(std::string_view("\0x", 2)) == "\\x00x");
  CHECK(escaped("\xC2\x9B"
                "31m") == "\\x9b31m");  // the one-character form of ESC [
}

TEST_CASE("characters that hide or turn around text are spelled out") {
  CHECK(escaped("\xE2\x80\xAEgpj") == "\\u202egpj");    // right-to-left override
  CHECK(escaped("\xE2\x81\xA6x") == "\\u2066x");        // left-to-right isolate
  CHECK(escaped("\xE2\x80\x8B") == "\\u200b");          // zero width space
  CHECK(escaped("\xE2\x80\xA8") == "\\u2028");          // line separator
  CHECK(escaped("\xEF\xBB\xBF") == "\\ufeff");          // byte order mark
  CHECK(escaped("\xF3\xA0\x81\x81") == "\\U000e0041");  // tag letter
}

TEST_CASE("bytes that are not UTF-8 are spelled out one by one") {
  CHECK(escaped("\xFF") == "\\xff");
  CHECK(escaped("a\xC3") == "a\\xc3");                           // cut short
  CHECK(escaped("\xC0\x8A") == "\\xc0\\x8a");                    // overlong line end
  CHECK(escaped("\xED\xA0\x80") == "\\xed\\xa0\\x80");           // surrogate
  CHECK(escaped("\xF5\x80\x80\x80") == "\\xf5\\x80\\x80\\x80");  // above U+10FFFF
  CHECK(escaped("\x80x") == "\\x80x");
}

TEST_CASE("JSON spells out what would act on a terminal, and nothing else") {
  const std::string hostile = "\xE2\x80\xAEgpj\xC2\x9B\x7F\xF3\xA0\x81\x81";
  const std::string plain = "\xC3\xA4\xE6\x97\xA5\xF0\x9F\x92\xBE";
  const auto text = to_line({{"name", hostile + plain}});
  CHECK(text == R"({"name":"\u202egpj\u009b\u007f\udb40\udc41)" + plain + "\"}");
  CHECK(nlohmann::ordered_json::parse(text)["name"] == hostile + plain);
}

TEST_CASE("JSON is valid UTF-8 whatever the text holds") {
  const std::string hostile = "\xFF\x1b[0m\"\\\n\xED\xA0\x80";
  const auto text = to_line({{"name", hostile}});
  const auto parsed = nlohmann::ordered_json::parse(text);
  const auto name = parsed["name"].get<std::string>();
  CHECK(name.find("\xEF\xBF\xBD") == 0);  // U+FFFD
  CHECK(name.find("\x1b[0m\"\\\n") != std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
}
