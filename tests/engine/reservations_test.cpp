#include "engine/reservations.h"

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "support/fault_file.h"
#include "support/memory_place.h"
#include "support/substitute_filesystem.h"
#include "vdisk/disk.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;

TEST_CASE("a reservation lasts until all of it is committed") {
  Reservations reservations;
  CHECK_FALSE(reservations.any());
  const Extent place{4096, 8192, State::data, mib};
  reservations.add(place);
  CHECK_FALSE(reservations.holds({4096, 8192, State::data, mib + 512}));  // another place
  CHECK_FALSE(reservations.holds({0, 4096, State::data, mib - 4096}));
  CHECK_FALSE(reservations.holds({4096, 8704, State::data, mib}));
  CHECK_FALSE(reservations.holds({4096, 0, State::data, mib}));
  CHECK_FALSE(reservations.holds({u64{0} - 4096, 8192, State::data, mib - 8192}));
  CHECK(reservations.holds({8192, 4096, State::data, mib + 4096}));
  reservations.settle({8192, 4096, State::data, mib + 4096});
  CHECK(reservations.any());
  CHECK(reservations.holds({4096, 4096, State::data, mib}));
  reservations.settle({4096, 4096, State::data, mib});
  CHECK_FALSE(reservations.any());
  CHECK_FALSE(reservations.holds(place));
  reservations.settle(place);  // nothing
}

TEST_CASE("the same place, reserved twice, is committed twice") {
  Reservations reservations;
  const Extent place{0, 512, State::data, mib};
  reservations.add(place);
  reservations.add(place);
  reservations.settle(place);
  CHECK(reservations.any());
  CHECK(reservations.holds(place));
  reservations.settle(place);
  CHECK_FALSE(reservations.holds(place));
}

TEST_CASE("a commit that failed can be repeated") {
  const MemoryPlace place;
  const auto child = place.snapshot(place.create("base.vhd", 8 * mib), "child.vhd");
  const auto file = std::make_shared<test::FaultFile>(
      place.files->open(child, {.access = Access::read_write}).value());
  OpenOptions options = place.options(Access::read_write);
  options.file_system = std::make_shared<test::SubstituteFileSystem>(place.files, child, file);
  auto disk = Disk::open(child, options);
  REQUIRE(disk);
  const auto extent = disk->reserve(0, 4096);
  REQUIRE(extent);
  must(disk->layer_file(0).write_at(extent->file_offset, filled(4096, 3)));
  file->inject({.call = test::FaultyCall::read});
  REQUIRE_FALSE(disk->commit(*extent));
  file->heal();
  must(disk->commit(*extent));
  CHECK(test::read(*disk, 0, 4096) == filled(4096, 3));
}

namespace {

/// A VHDX gives space back when it is the turn of its log.
void flush_thrice(Disk& disk) {
  for (int turn = 0; turn < 3; ++turn) {
    must(disk.write(disk.size() - 4096, filled(4096, turn + 5)));
    must(disk.flush());
  }
}

}  // namespace

TEST_CASE("payload that is still on its way never lands in another block") {
  for (const std::string name : {"a.vhd", "a.vhdx"}) {
    CAPTURE(name);
    const MemoryPlace place;
    auto disk = place.open(place.create(name, 256 * mib), Access::read_write);
    const u64 block = disk.geometry().block_size;
    must(disk.write(0, filled(4096, 1)));
    must(disk.flush());
    const auto extent = disk.reserve(0, 4096);
    REQUIRE(extent);
    must(disk.discard(0, block));
    flush_thrice(disk);
    must(disk.write(block, filled(4096, 2)));  // would get the place of the discarded block
    must(disk.layer_file(0).write_at(extent->file_offset, filled(4096, 3)));
    must(disk.commit(*extent));
    std::vector<std::byte> found(4096);
    must(disk.read(block, found));
    CHECK(found == filled(4096, 2));
    bool reused = false;
    for (u64 n = 2; n < 5; ++n) {
      must(disk.write(n * block, filled(4096, static_cast<int>(n))));
      must(disk.flush());
      reused = reused || disk.extent_at(n * block, 4096)->file_offset == extent->file_offset;
    }
    CHECK(reused);  // now that nobody writes there any more
    must(disk.close());
  }
}

TEST_CASE("only what was reserved can be committed, and only once") {
  for (const std::string name : {"a.vhd", "a.vhdx", "a.raw"}) {
    CAPTURE(name);
    const MemoryPlace place;
    auto disk = place.open(place.create(name, 8 * mib), Access::read_write);
    CHECK(disk.commit({0, 4096, State::data, 0}).error().code == Errc::invalid_argument);
    const auto extent = disk.reserve(0, 4096);
    REQUIRE(extent);
    auto elsewhere = *extent;
    elsewhere.file_offset += 512;
    CHECK(disk.commit(elsewhere).error().code == Errc::invalid_argument);
    must(disk.commit(*extent));
    CHECK(disk.commit(*extent).error().code == Errc::invalid_argument);
  }
}
