// Which format a file is opened as.
#include <doctest/doctest.h>

#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::read;
using test::write_and_close;

TEST_CASE("a fixed VHD whose growth was interrupted is found by its name") {
  const MemoryPlace place;
  Target target;
  target.type = ImageType::fixed;
  const auto path = place.create("grown.vhd", mib, target);
  write_and_close(place, path, 0, filled(4096, 7));
  auto bytes = place.bytes(path);
  bytes.resize(4 * mib);
  CHECK(read(place.open(path), 0, 4096) == filled(4096, 7));
  CHECK(place.open(path).size() == mib);
  bytes.resize(mib);  // no footer at all any more
  CHECK(Disk::open(path, place.options()).error().code == Errc::not_image);
}
