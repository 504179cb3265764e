/// LastPlaces: the last ones, in order, whatever the order in which they were offered.
#include "formats/last_places.h"

#include <algorithm>
#include <random>

#include <doctest/doctest.h>

using namespace vdisk;

TEST_CASE("last places come out from the end of the file, and no more than fit are kept") {
  std::vector<NamedPlace> all;
  for (u64 n = 0; n < 100; ++n) all.push_back({n * 512, 1000 - n});
  std::mt19937 random(7);
  for (const std::size_t capacity : {1U, 10U, 99U, 100U, 1000U}) {
    CAPTURE(capacity);
    std::ranges::shuffle(all, random);
    LastPlaces last(capacity);
    for (const NamedPlace& place : all) last.offer(place);
    CHECK(last.has_more() == (capacity < all.size()));
    const std::size_t kept = std::min(capacity, all.size());
    for (std::size_t n = 0; n < kept; ++n) {
      const auto place = last.take();
      REQUIRE(place);
      CHECK(place->file_offset == (99 - n) * 512);
      CHECK(place->index == 1000 - (99 - n));
    }
    CHECK_FALSE(last.take());
  }
}

TEST_CASE("nothing was offered: nothing comes out") {
  LastPlaces last(3);
  CHECK_FALSE(last.take());
  CHECK_FALSE(last.has_more());
}
