#include "fuzz/sparse_input.h"

#include <doctest/doctest.h>

namespace vdisk::fuzz {

namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

void append(std::vector<std::byte>& to, const std::vector<std::byte>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// Flags 1, a file of 0x010000 bytes, one operation, no pieces.
std::vector<std::byte> prefix() {
  auto input = bytes({1, 0, 0, 1, 0, 0, 0, 0, 3, 0x34, 0x12, 9});
  input.resize(64);
  return input;
}

}  // namespace

TEST_CASE("sparse input: pieces land at their offsets, the rest reads as zeros") {
  auto input = prefix();
  append(input, bytes({0x00, 0x80, 0, 0, 0, 0, 2, 0, 0xaa, 0xbb}));
  const SparseInput decoded = decode(input);
  CHECK(decoded.repair_checksums);
  CHECK(decoded.operations[0].kind == 3);
  CHECK(decoded.operations[0].position == 0x1234);
  CHECK(decoded.operations[0].sectors == 9);
  const auto content = decoded.file->content();
  REQUIRE(content.size() == 0x10000);
  CHECK(content[0x7fff] == std::byte{0});
  CHECK(content[0x8000] == std::byte{0xaa});
  CHECK(content[0x8001] == std::byte{0xbb});
  CHECK(content[0x8002] == std::byte{0});
}

TEST_CASE("sparse input: every byte string is valid") {
  CHECK(decode({}).file->content().empty());
  CHECK(decode(bytes({0, 5})).file->content().size() == 5);
  auto cut = prefix();
  append(cut, bytes({0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x11}));  // claims 65535 bytes, has one
  CHECK(decode(cut).file->content()[0] == std::byte{0x11});
  auto outside = prefix();
  append(outside, bytes({0xff, 0xff, 0, 0, 0, 0, 2, 0, 1, 2}));  // its second byte is outside
  append(outside, bytes({0, 0, 1, 0, 0, 0, 1, 0, 3}));           // all of it is
  const auto content = decode(outside).file->content();
  CHECK(content.size() == 0x10000);
  CHECK(content[0xffff] == std::byte{1});
}

TEST_CASE("sparse input: encode is the inverse of decode") {
  auto input = prefix();
  append(input, bytes({0x03, 0x00, 0, 0, 0, 0, 1, 0, 0xaa}));
  append(input, bytes({0xff, 0xff, 0, 0, 0, 0, 1, 0, 0xbb}));
  const SparseInput decoded = decode(input);
  const auto encoded = encode(decoded);
  REQUIRE(encoded.has_value());
  const SparseInput again = decode(*encoded);
  CHECK(again.file->content() == decoded.file->content());
  CHECK(again.repair_checksums == decoded.repair_checksums);
  CHECK(again.operations[0].position == 0x1234);
  CHECK(encoded->size() < 128);
}

}  // namespace vdisk::fuzz
