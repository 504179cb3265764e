/// Files beside images, and files that are taken for images: named, preserved, or refused.
#include <algorithm>

#include <doctest/doctest.h>

#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;

namespace {

void put(const MemoryPlace& place, const std::string& path) {
  const auto file = place.files->create_beside(path).value();
  must(file->write_at(0, filled(4096, 0x5A)));
  must(place.files->publish(*file, path, true));
}

std::vector<std::string> warning_ids(const MemoryPlace& place, const std::string& path) {
  std::vector<std::string> ids;
  const auto layer = place.open(path).layer(0);
  for (const auto& warning : layer->image.warnings) ids.push_back(warning.id);
  return ids;
}

}  // namespace

TEST_CASE("change tracking and replication beside an image are warned about") {
  const MemoryPlace place;
  const auto path = place.create("vm.vhdx", 8 * mib);
  CHECK(warning_ids(place, path).empty());
  put(place, "/disks/vm.vhdx.rct");
  put(place, "/disks/vm.vhdx.mrt");
  put(place, "/disks/vm.vhdx.hrl");
  CHECK(warning_ids(place, path) ==
        std::vector<std::string>{"change-tracking", "change-tracking", "replication"});
}

TEST_CASE("files that are no images are refused with what to do instead") {
  const MemoryPlace place;
  for (const std::string extension : {"vhds", "VHDS", "rct", "mrt", "hrl", "v05"}) {
    CAPTURE(extension);
    const std::string path = "/disks/set." + extension;
    put(place, path);
    const auto opened = Disk::open(path, place.options());
    REQUIRE(!opened);
    CHECK(opened.error().code == Errc::unsupported);
    CHECK(opened.error().message.find(path + ": ") == 0);
  }
  put(place, "/disks/other.bin");
  CHECK(Disk::open("/disks/other.bin", place.options()).error().code == Errc::not_image);
}

TEST_CASE("an .avhdx is what its content says, whatever its name is") {
  const MemoryPlace place;
  Target target;
  target.format = "vhdx";
  const auto base = place.create("disk.avhdx", 8 * mib, target);
  CHECK(place.open(base).layer(0)->image.type == ImageType::dynamic);
  const auto child = place.snapshot(base, "auto.avhdx", target);
  CHECK(place.open(child).depth() == 2);
}

TEST_CASE("no part of a split image opens, is repaired or replaced") {
  const MemoryPlace place;
  const auto path = place.create("old.vhd", 8 * mib);
  const auto before = place.bytes(path).all();
  put(place, "/disks/old.v01");
  for (const std::string part : {"/disks/old.vhd", "/disks/old.v01"}) {
    CAPTURE(part);
    Progress progress;
    const auto opened = Disk::open(part, place.options(Access::read_write));
    const auto repaired = repair({.path = part, .apply = true, .open = place.options()}, progress);
    CreateOptions again{.target = {.path = part, .format = "vhd", .replace = true}, .size = mib};
    again.open = place.options();
    const auto created = create(again, progress);
    REQUIRE(!opened);
    REQUIRE(!repaired);
    REQUIRE(!created);
    for (const Error& error : {opened.error(), repaired.error(), created.error()}) {
      CHECK(error.code == Errc::unsupported);
      CHECK(error.message == part +
                                 ": one part of a split image, expected a whole one: join the "
                                 "parts into one file, first to last: cat old.vhd old.v01 > "
                                 "old-joined.vhd");
    }
  }
  CHECK(place.bytes(path).all() == before);
  const auto found = place.check(path).findings;
  CHECK(std::ranges::count(found, "split-image", &Finding::id) == 1);
  place.create("old.vhdx", 8 * mib);  // no VHD: the part is not its own
  CHECK(Disk::open("/disks/old.vhdx", place.options()));
}

TEST_CASE("a part that is missing is named") {
  const MemoryPlace place;
  place.create("old.vhd", 8 * mib);
  put(place, "/disks/old.v01");
  put(place, "/disks/old.v03");
  const auto opened = Disk::open("/disks/old.vhd", place.options());
  REQUIRE(!opened);
  CHECK(opened.error().message.find("of which old.v02 is missing") != std::string::npos);
}
