/// Files beside images, and files that are taken for images: named, preserved, or refused.
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
  for (const std::string extension : {"vhds", "VHDS", "rct", "mrt", "hrl", "v01"}) {
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

TEST_CASE("the first part of a split image is refused") {
  const MemoryPlace place;
  const auto path = place.create("old.vhd", 8 * mib);
  put(place, "/disks/old.v01");
  const auto opened = Disk::open(path, place.options());
  REQUIRE(!opened);
  CHECK(opened.error().code == Errc::unsupported);
  CHECK(opened.error().message.find("join the parts") != std::string::npos);
  place.create("old.vhdx", 8 * mib);  // no VHD: the part is not its own
  CHECK(Disk::open("/disks/old.vhdx", place.options()));
}
