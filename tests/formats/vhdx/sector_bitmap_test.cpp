#include "formats/vhdx/sector_bitmap.h"

#include <array>
#include <random>
#include <vector>

#include <doctest/doctest.h>

using namespace vdisk;
using namespace vdisk::vhdx;

// FORMATS 6.5: sector 0 -> byte 0 mask 0x01, sector 9 -> byte 1 mask 0x02.
TEST_CASE("bits are least significant first") {
  std::array<std::byte, 4> bits{};
  fill_bits(bits, 0, 1, true);
  fill_bits(bits, 9, 1, true);
  CHECK(bits == std::array{std::byte{0x01}, std::byte{0x02}, std::byte{0}, std::byte{0}});
}

TEST_CASE("filling touches exactly the range") {
  std::array<std::byte, 4> bits{};
  fill_bits(bits, 6, 13, true);
  CHECK(bits == std::array{std::byte{0xC0}, std::byte{0xFF}, std::byte{0x07}, std::byte{0}});
  fill_bits(bits, 7, 11, false);
  CHECK(bits == std::array{std::byte{0x40}, std::byte{0}, std::byte{0x04}, std::byte{0}});
}

TEST_CASE("runs end at the first different bit and at the limit") {
  std::vector<std::byte> bits(64);
  fill_bits(bits, 3, 300, true);
  CHECK(bit_run(bits, 0, 512).count == 3);
  CHECK_FALSE(bit_run(bits, 0, 512).set);
  CHECK(bit_run(bits, 3, 509).count == 300);
  CHECK(bit_run(bits, 3, 509).set);
  CHECK(bit_run(bits, 3, 17).count == 17);
  CHECK(bit_run(bits, 303, 209).count == 209);
}

TEST_CASE("runs agree with counting bit by bit") {
  constexpr u32 seed = 7;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::vector<bool> model(2048);
  std::vector<std::byte> bits(model.size() / 8);
  for (int round = 0; round < 400; ++round) {
    const u64 first = random() % model.size();
    const u64 count = random() % (model.size() - first) / (1 + random() % 8);
    const bool set = random() % 2 == 0;
    fill_bits(bits, first, count, set);
    for (u64 n = 0; n < count; ++n) model[first + n] = set;
    const u64 from = random() % model.size();
    const u64 limit = 1 + random() % (model.size() - from);
    u64 expected = 1;
    while (expected < limit && model[from + expected] == model[from]) ++expected;
    const BitRun run = bit_run(bits, from, limit);
    REQUIRE(run.set == model[from]);
    REQUIRE(run.count == expected);
  }
}
