#include "fuzz/corpus_file.h"

#include <doctest/doctest.h>

using vdisk::fuzz::decode_base64;
using vdisk::fuzz::parse_corpus_line;
using Bytes = std::vector<unsigned char>;

TEST_CASE("base64: the examples of RFC 4648 section 10") {
  CHECK(decode_base64("") == Bytes{});
  CHECK(decode_base64("Zg==") == Bytes{'f'});
  CHECK(decode_base64("Zm8=") == Bytes{'f', 'o'});
  CHECK(decode_base64("Zm9vYmFy") == Bytes{'f', 'o', 'o', 'b', 'a', 'r'});
  CHECK(decode_base64("+/8A") == Bytes{0xfb, 0xff, 0x00});
}

TEST_CASE("base64: half groups and foreign characters are refused") {
  CHECK_FALSE(decode_base64("Zg"));
  CHECK_FALSE(decode_base64("Zm9!"));
  CHECK_FALSE(decode_base64("Z=9v"));
}

TEST_CASE("a corpus line is a name and bytes; comments and blank lines are no input") {
  const auto input = parse_corpus_line("seed Zm8=");
  REQUIRE(input);
  CHECK(input->name == "seed");
  CHECK(input->bytes == Bytes{'f', 'o'});
  CHECK_FALSE(parse_corpus_line("# words"));
  CHECK_FALSE(parse_corpus_line(""));
}

TEST_CASE("a corpus line that is broken has no name, so that a replay refuses it") {
  CHECK(parse_corpus_line("seed")->name.empty());
  CHECK(parse_corpus_line("seed Zm8")->name.empty());
}
