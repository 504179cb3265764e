/// Who depends on an image.
#include <doctest/doctest.h>

#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::write_and_close;

namespace {

std::vector<std::filesystem::path> children(const MemoryPlace& place,
                                            const std::filesystem::path& path) {
  return children_of(path, place.options()).value();
}

}  // namespace

TEST_CASE("children are found by identity, whatever their names, direct ones only") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 4 * mib);
    place.create("stranger." + extension, 4 * mib);
    CHECK(children(place, base).empty());
    const auto first = place.snapshot(base, "a." + extension);
    const auto second = place.snapshot(base, "no-extension." + extension);
    const auto grandchild = place.snapshot(first, "z." + extension);
    CHECK(children(place, base) == std::vector<std::filesystem::path>{first, second});
    CHECK(children(place, first) == std::vector<std::filesystem::path>{grandchild});
    CHECK(children(place, grandchild).empty());
  }
}

TEST_CASE("files that are no images, or damaged ones, do not stop the search") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  const auto child = place.snapshot(base, "child.vhdx");
  const auto damaged = place.snapshot(base, "damaged.vhdx");
  auto bytes = place.bytes(damaged);
  bytes.write(64 * kib, filled(64 * kib, 0xEE));
  bytes.write(128 * kib, filled(64 * kib, 0xEE));
  auto file = place.files->create_beside("/disks/notes.txt").value();
  must(file->write_at(0, filled(100, 'x')));
  must(place.files->publish(*file, "/disks/notes.txt", false));
  CHECK(children(place, base) == std::vector<std::filesystem::path>{child});
}

TEST_CASE("children elsewhere are found below the roots") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  const auto child = place.snapshot(base, "child.vhdx");
  auto file = place.files->create_beside("/elsewhere/child.vhdx").value();
  must(file->write_at(0, place.bytes(child).all()));
  must(place.files->publish(*file, "/elsewhere/child.vhdx", false));
  must(place.files->remove(child));
  CHECK(children(place, base).empty());
  auto options = place.options();
  options.parent_roots = {"/elsewhere"};
  CHECK(children_of(base, options).value() ==
        std::vector<std::filesystem::path>{"/elsewhere/child.vhdx"});
}

TEST_CASE("children below the roots are found however deep they lie") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  const auto child = place.snapshot(base, "child.vhdx");
  const std::filesystem::path deep = "/elsewhere/a/b/c/child.vhdx";
  const auto file = place.files->create_beside(deep).value();
  must(file->write_at(0, place.bytes(child).all()));
  must(place.files->publish(*file, deep, false));
  auto options = place.options();
  options.parent_roots = {"/elsewhere", "/elsewhere/a"};
  CHECK(children_of(base, options).value() == std::vector{child, deep});
}

TEST_CASE("a search that would never end is refused") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  std::filesystem::path deep = "/elsewhere";
  for (int level = 0; level < 70; ++level) deep /= "d";
  must(place.files->publish(*place.files->create_beside(deep / "x").value(), deep / "x", false));
  auto options = place.options();
  options.parent_roots = {"/elsewhere"};
  CHECK(children_of(base, options).error().code == Errc::limit);
}

TEST_CASE("a raw disk has no children, though a VHD without an id exists") {
  const MemoryPlace place;
  const auto raw = place.create("a.raw", 4 * mib);
  place.create("b.vhd", 4 * mib);
  CHECK(children(place, raw).empty());
}
