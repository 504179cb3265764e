/// compare: the same bytes for the guest, whatever the files look like.
#include <doctest/doctest.h>

#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::write_and_close;

namespace {

constexpr u64 sector = 512;

struct Pair {
  MemoryPlace place;
  CompareOptions options;

  Pair(const std::string& a, u64 size_a, const std::string& b, u64 size_b) {
    options.a = place.create(a, size_a);
    options.b = place.create(b, size_b);
    options.open = place.options();
  }
  [[nodiscard]] Comparison compare() const {
    Progress progress;
    return vdisk::compare(options, progress).value();
  }
};

}  // namespace

TEST_CASE("stored zeros, dropped blocks and missing blocks are the same zeros") {
  const Pair pair("a.vhd", 4 * mib, "b.vhdx", 4 * mib);
  write_and_close(pair.place, pair.options.a, mib, filled(mib, 0));
  write_and_close(pair.place, pair.options.a, 3 * mib, filled(sector, 7));
  write_and_close(pair.place, pair.options.b, 3 * mib, filled(sector, 7));
  const auto result = pair.compare();
  CHECK(result.identical);
  CHECK(!result.first_difference);
  CHECK(result.ranges.empty());
}

TEST_CASE("the first difference is told to the byte, in any piece of the disk") {
  for (const u64 offset : {u64{0}, 256 * kib - sector, 256 * kib, 3 * mib + 7 * sector}) {
    CAPTURE(offset);
    const Pair pair("a.vhdx", 4 * mib, "b.vhdx", 4 * mib);
    auto data = filled(sector, 0);
    data[sector - 1] = std::byte{1};
    write_and_close(pair.place, pair.options.b, offset, data);
    const auto result = pair.compare();
    CHECK(!result.identical);
    CHECK(result.first_difference == offset + sector - 1);
  }
}

TEST_CASE("all ranges are told in sectors, neighbours as one") {
  Pair pair("a.vhdx", 4 * mib, "b.vhdx", 4 * mib);
  for (const u64 offset : {mib - sector, mib, 2 * mib}) {
    write_and_close(pair.place, pair.options.a, offset, filled(sector, 1));
  }
  pair.options.all_ranges = true;
  const auto result = pair.compare();
  REQUIRE(result.ranges.size() == 2);
  CHECK(result.ranges[0].offset == mib - sector);
  CHECK(result.ranges[0].length == 2 * sector);
  CHECK(result.ranges[1].offset == 2 * mib);
  CHECK(result.ranges[1].length == sector);
}

TEST_CASE("what the longer disk holds behind the shorter one must be zeros") {
  Pair pair("a.vhdx", 4 * mib, "b.vhdx", 6 * mib);
  CHECK(pair.compare().identical);
  pair.options.strict_size = true;
  CHECK(!pair.compare().identical);
  CHECK(pair.compare().first_difference == 4 * mib);
  pair.options.strict_size = false;
  write_and_close(pair.place, pair.options.b, 5 * mib, filled(sector, 1));
  CHECK(!pair.compare().identical);
  CHECK(pair.compare().first_difference == 5 * mib);
}
