/// expand: what is refused before anything changes, and that a cancel leaves the old or the new.
#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

ExpandOptions expand_options(const MemoryPlace& place, const std::filesystem::path& path,
                             u64 size) {
  ExpandOptions options;
  options.path = path;
  options.size = size;
  options.open = place.options(Access::read_write);
  return options;
}

Errc outcome(const ExpandOptions& options) {
  Progress progress;
  const auto resized = expand(options, progress);
  return resized ? Errc::success : resized.error().code;
}

struct Subtype {
  std::string extension;
  ImageType type;
};
const std::vector<Subtype> subtypes = {
    {"vhd", ImageType::fixed},        {"vhd", ImageType::dynamic},
    {"vhdx", ImageType::fixed},       {"vhdx", ImageType::dynamic},
    {"vhd", ImageType::differencing}, {"vhdx", ImageType::differencing},
};

/// A disk of 4 MiB, full of ones; a child shows them through.
std::filesystem::path make(const MemoryPlace& place, const Subtype& subtype) {
  Target target;
  const bool child = subtype.type == ImageType::differencing;
  target.type = child ? ImageType::dynamic : subtype.type;
  const auto path = place.create("a." + subtype.extension, 4 * mib, target);
  write_and_close(place, path, 0, filled(4 * mib, 1));
  return child ? place.snapshot(path, "child." + subtype.extension) : path;
}

}  // namespace

TEST_CASE("every subtype grows, keeps its data and reads as zeros behind them") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(subtype.extension);
    CAPTURE(name(subtype.type));
    const MemoryPlace place;
    const auto path = make(place, subtype);
    Progress progress;
    const auto resized = expand(expand_options(place, path, 3 * gib), progress);
    REQUIRE_MESSAGE(resized, resized.error().message);
    CHECK(resized->old_size == 4 * mib);
    CHECK(resized->new_size == 3 * gib);
    const auto disk = place.open(path);
    CHECK(disk.size() == 3 * gib);
    CHECK(read(disk, 0, 4 * mib) == filled(4 * mib, 1));
    CHECK(read(disk, 4 * mib, mib) == filled(mib, 0));
    CHECK(read(disk, 3 * gib - mib, mib) == filled(mib, 0));
    CHECK(place.check(path).clean());
  }
}

TEST_CASE("P13: expand, canceled at every step, leaves the old disk; a rerun ends") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(subtype.extension);
    CAPTURE(name(subtype.type));
    const MemoryPlace place;
    const auto path = make(place, subtype);
    const auto options = expand_options(place, path, 64 * mib);
    const auto steps =
        test::cancel_at_every_step([&](Progress& progress) { return expand(options, progress); },
                                   [&] {
                                     const auto disk = place.open(path);
                                     CHECK(disk.size() == 4 * mib);
                                     CHECK(read(disk, 0, 4 * mib) == filled(4 * mib, 1));
                                     CHECK(place.check(path).clean());
                                   });
    CHECK(steps >= 1);
    CHECK(place.open(path).size() == 64 * mib);
  }
}

TEST_CASE("expand does not shrink, and the same size changes nothing") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * mib);
  const auto before = place.bytes(path).all();
  CHECK(outcome(expand_options(place, path, 4 * mib - 512)) == Errc::cannot_shrink);
  CHECK(outcome(expand_options(place, path, 0)) == Errc::cannot_shrink);
  CHECK(outcome(expand_options(place, path, 4 * mib)) == Errc::success);
  CHECK(place.bytes(path).all() == before);
}

TEST_CASE("what the format cannot hold is refused, and nothing changes") {
  const MemoryPlace place;
  const auto vhd = place.create("a.vhd", 4 * mib);
  const auto vhdx = place.create("a.vhdx", 4 * mib);
  const auto bytes_of_vhd = place.bytes(vhd).all();
  const auto bytes_of_vhdx = place.bytes(vhdx).all();
  CHECK(outcome(expand_options(place, vhd, 2041 * gib)) == Errc::invalid_argument);
  CHECK(outcome(expand_options(place, vhd, 5 * mib + 1)) == Errc::invalid_argument);
  CHECK(outcome(expand_options(place, vhdx, 64 * tib + 512)) == Errc::invalid_argument);
  CHECK(outcome(expand_options(place, vhdx, 5 * mib + 1)) == Errc::invalid_argument);
  CHECK(place.bytes(vhd).all() == bytes_of_vhd);
  CHECK(place.bytes(vhdx).all() == bytes_of_vhdx);
}

TEST_CASE("an image with children does not grow: they would become invalid") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 4 * mib);
    place.snapshot(base, "child." + extension);
    const auto before = place.bytes(base).all();
    CHECK(outcome(expand_options(place, base, 8 * mib)) == Errc::has_children);
    CHECK(place.bytes(base).all() == before);
  }
}

TEST_CASE("a child grows only when its parent is known") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib);
  const auto child = place.snapshot(base, "child.vhdx");
  auto options = expand_options(place, child, 8 * mib);
  options.open.parents = ParentPolicy::none;
  CHECK(outcome(options) == Errc::parent_not_found);
  must(place.files->remove(base));
  options.open.parents = ParentPolicy::beside;
  CHECK(outcome(options) == Errc::parent_not_found);
}

TEST_CASE("a child does not grow over bytes of a larger parent that it hides") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 16 * mib);
  write_and_close(place, base, 0, filled(16 * mib, 1));
  const auto child = place.snapshot(base, "child.vhdx");
  ShrinkOptions smaller;
  smaller.path = child;
  smaller.size = 4 * mib;
  smaller.allow_data_loss = true;
  smaller.open = place.options(Access::read_write);
  Progress progress;
  REQUIRE(shrink(smaller, progress));
  CHECK(outcome(expand_options(place, child, 8 * mib)) == Errc::parent_size_mismatch);
  CHECK(place.open(child).size() == 4 * mib);
}
