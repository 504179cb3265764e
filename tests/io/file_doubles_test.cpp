#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "io/memory_file.h"
#include "support/counting_file.h"
#include "support/fault_file.h"

using namespace vdisk;
using namespace vdisk::test;

TEST_CASE("counting file counts calls and bytes and passes them on") {
  const auto memory = std::make_shared<MemoryFile>();
  CountingFile file(memory);
  std::array<std::byte, 100> bytes{};
  REQUIRE(file.write_at(0, bytes));
  REQUIRE(file.write_at(100, std::span(bytes).first(10)));
  REQUIRE(file.read_at(0, bytes));
  CHECK_FALSE(file.read_at(100, bytes));
  REQUIRE(file.zero_at(0, 50));
  REQUIRE(file.punch_at(0, 7));
  REQUIRE(file.resize(64));
  REQUIRE(file.flush());
  CHECK(file.counts() == FileCounts{2, 200, 2, 110, 1, 50, 1, 7, 0, 0, 1, 1, 0});
  CHECK(memory->size() == 64u);
  file.reset();
  CHECK(file.counts() == FileCounts{});
}

TEST_CASE("fault file fails the n-th call of a kind once") {
  const auto memory = std::make_shared<MemoryFile>();
  FaultFile file(memory);
  std::array<std::byte, 8> bytes{std::byte{1}};
  file.inject({.call = FaultyCall::write, .index = 1, .code = Errc::no_space});
  CHECK(file.write_at(0, bytes));
  CHECK(file.read_at(0, bytes));
  CHECK(file.zero_at(8, 8).error().code == Errc::no_space);
  CHECK(memory->size() == 8u);
  CHECK(file.write_at(8, bytes));
  CHECK(file.failures() == 1);
}

TEST_CASE("fault file fails for ever until it is healed") {
  FaultFile file(std::make_shared<MemoryFile>());
  std::array<std::byte, 8> bytes{};
  REQUIRE(file.write_at(0, bytes));
  file.inject({.call = FaultyCall::read, .index = 1, .for_ever = true});
  CHECK(file.read_at(0, bytes));
  CHECK(file.read_at(0, bytes).error().code == Errc::io);
  CHECK(file.read_at(0, bytes).error().code == Errc::io);
  file.heal();
  CHECK(file.read_at(0, bytes));
}

TEST_CASE("fault file: a failed flush poisons writes and flushes, reads go on") {
  FaultFile file(std::make_shared<MemoryFile>());
  std::array<std::byte, 8> bytes{};
  REQUIRE(file.write_at(0, bytes));
  file.inject({.call = FaultyCall::flush});
  CHECK(file.flush().error().code == Errc::io);
  CHECK(file.flush().error().code == Errc::poisoned);
  CHECK(file.write_at(0, bytes).error().code == Errc::poisoned);
  CHECK(file.resize(0).error().code == Errc::poisoned);
  file.heal();
  CHECK(file.write_at(0, bytes).error().code == Errc::poisoned);
  CHECK(file.read_at(0, bytes));
}
