#include "formats/vhdx/free_space.h"

#include <doctest/doctest.h>

using namespace vdisk;
using namespace vdisk::vhdx;

TEST_CASE("holes inside the file are used first, then its end") {
  FreeSpace space(10 * mib);
  REQUIRE(space.occupy(0, 4 * mib));
  REQUIRE(space.occupy(5 * mib, 5 * mib));
  const Place hole = space.allocate(mib);
  CHECK(hole.offset == 4 * mib);
  CHECK(hole.recycled);
  const Place fresh = space.allocate(mib);
  CHECK(fresh.offset == 10 * mib);
  CHECK_FALSE(fresh.recycled);
}

TEST_CASE("a hole that is too small is left for smaller blocks") {
  FreeSpace space(10 * mib);
  REQUIRE(space.occupy(0, 4 * mib));
  REQUIRE(space.occupy(5 * mib, 5 * mib));
  CHECK(space.allocate(2 * mib).offset == 10 * mib);
  CHECK(space.allocate(mib).offset == 4 * mib);
}

TEST_CASE("overlaps are refused and change nothing") {
  FreeSpace space(10 * mib);
  REQUIRE(space.occupy(2 * mib, 2 * mib));
  CHECK_FALSE(space.occupy(3 * mib, 4 * mib));
  CHECK(space.occupy(4 * mib, 3 * mib));
}

TEST_CASE("released space comes back as recycled, wherever it came from") {
  FreeSpace space(mib);
  REQUIRE(space.occupy(0, mib));
  const Place first = space.append(2 * mib);
  const Place second = space.append(2 * mib);
  CHECK(first.offset == mib);
  CHECK(second.offset == 3 * mib);
  space.release(first.offset, 2 * mib);
  CHECK(space.used_end() == 5 * mib);
  const Place again = space.allocate(2 * mib);
  CHECK(again.offset == first.offset);
  CHECK(again.recycled);
  space.release(second.offset, 2 * mib);
  CHECK(space.used_end() == 3 * mib);
  CHECK(space.append_offset() == 5 * mib);
}

// FORMATS 5.3 quirk 23: 512 bytes behind the last MiB; nothing may be placed over them.
TEST_CASE("a file size between two MiB is rounded up") {
  FreeSpace space(4 * mib + 512);
  REQUIRE(space.occupy(0, 4 * mib));
  CHECK(space.append(mib).offset == 5 * mib);
}

TEST_CASE("a last block that is shorter in the file keeps its whole length") {
  FreeSpace space(4 * mib + 512);
  REQUIRE(space.occupy(4 * mib, 32 * mib));
  CHECK(space.append(mib).offset == 36 * mib);
}

TEST_CASE("behind the tracked part space is only appended") {
  const u64 far = FreeSpace::tracked_mib * mib;
  FreeSpace space(far + 4 * mib);
  REQUIRE(space.occupy(0, mib));
  REQUIRE(space.occupy(far, 4 * mib));
  CHECK(space.used_end() == far + 4 * mib);
  CHECK(space.append(mib).offset == far + 4 * mib);
  CHECK(space.allocate(mib).offset == mib);
}

TEST_CASE("first fit finds every hole of a long used part") {
  FreeSpace space(1000 * mib);
  for (u64 index = 0; index < 1000; ++index) {
    if (index % 3 != 0) REQUIRE(space.occupy(index * mib, mib));
  }
  for (u64 index = 0; index < 1000; index += 3) CHECK(space.allocate(mib).offset == index * mib);
  CHECK(space.allocate(mib).offset == 1000 * mib);
}
