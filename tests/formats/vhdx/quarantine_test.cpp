#include "formats/vhdx/quarantine.h"

#include <doctest/doctest.h>

using namespace vdisk;
using namespace vdisk::vhdx;

TEST_CASE("freed space leaves the quarantine only behind every gate") {
  Quarantine quarantine;
  quarantine.add(4 * mib, mib);
  quarantine.settle();
  quarantine.reclaim();
  CHECK(quarantine.take_released().empty());
  quarantine.logged(quarantine.take_opened());
  CHECK(quarantine.take_released().empty());
  SUBCASE("settled, then reclaimed") {
    quarantine.settle();
    CHECK(quarantine.take_released().empty());
    quarantine.reclaim();
  }
  SUBCASE("reclaimed, then settled") {
    quarantine.reclaim();
    CHECK(quarantine.take_released().empty());
    quarantine.settle();
  }
  const auto released = quarantine.take_released();
  REQUIRE(released.size() == 1);
  CHECK(released[0].offset == 4 * mib);
  CHECK(quarantine.take_released().empty());
}

TEST_CASE("a failed flush puts freed space back to the first gate") {
  Quarantine quarantine;
  quarantine.add(4 * mib, mib);
  quarantine.restore(quarantine.take_opened());
  quarantine.settle();
  quarantine.reclaim();
  CHECK(quarantine.take_released().empty());
  CHECK(quarantine.take_opened().size() == 1);
}

TEST_CASE("neighbouring ranges come out as one") {
  Quarantine quarantine;
  quarantine.add(6 * mib, 2 * mib);
  quarantine.add(4 * mib, 2 * mib);
  quarantine.add(9 * mib, mib);
  quarantine.logged(quarantine.take_opened());
  quarantine.settle();
  const auto ranges = quarantine.take_settled();
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].offset == 4 * mib);
  CHECK(ranges[0].length == 4 * mib);
  CHECK(ranges[1].offset == 9 * mib);
}
