/// metadata: what may change on which kind of image, and who would be hurt by it.
#include "vdisk/metadata.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

namespace fs = std::filesystem;
constexpr u64 disk_size = 6 * mib;
const Guid new_id{{0x11, 0x22, 0x33}};
const Guid item_id{{0x44, 0x55}};

struct Kind {
  std::string extension;
  ImageType type = ImageType::dynamic;
};
const std::vector<Kind> kinds = {
    {"vhd", ImageType::fixed},  {"vhd", ImageType::dynamic},  {"vhd", ImageType::differencing},
    {"vhdx", ImageType::fixed}, {"vhdx", ImageType::dynamic}, {"vhdx", ImageType::differencing},
};

fs::path make(const MemoryPlace& place, const Kind& kind) {
  Target target;
  const bool child = kind.type == ImageType::differencing;
  target.type = child ? ImageType::dynamic : kind.type;
  auto path = place.create((child ? "base." : "disk.") + kind.extension, disk_size, target);
  write_and_close(place, path, mib, filled(mib, 1));
  if (!child) return path;
  path = place.snapshot(path, "disk." + kind.extension);
  write_and_close(place, path, 2 * mib, filled(mib, 2));
  return path;
}

MetadataChange change_of(const MemoryPlace& place, const fs::path& path) {
  MetadataChange change;
  change.path = path;
  change.open = place.options();
  return change;
}

Errc outcome(const MetadataChange& change) {
  Progress progress;
  const auto changed = change_metadata(change, progress);
  return changed ? Errc::success : changed.error().code;
}

std::vector<std::byte> content(const MemoryPlace& place, const fs::path& path) {
  const auto disk = place.open(path);
  return read(disk, 0, disk.size());
}

}  // namespace

TEST_CASE("metadata: every VHD and VHDX takes another id, and keeps its content") {
  for (const Kind& kind : kinds) {
    CAPTURE(kind.extension);
    CAPTURE(name(kind.type));
    const MemoryPlace place;
    const auto path = make(place, kind);
    const auto before = content(place, path);
    const auto old_info = place.open(path).layer(0)->image;
    auto change = change_of(place, path);
    change.description.disk_id = new_id;
    CHECK(outcome(change) == Errc::success);
    const auto disk = place.open(path);
    const auto info = disk.layer(0)->image;
    CHECK(info.id == new_id);
    CHECK(info.geometry.virtual_size == disk_size);
    CHECK(info.parent.has_value() == (kind.type == ImageType::differencing));
    CHECK(info.created == old_info.created);
    CHECK(read(disk, 0, disk_size) == before);
    CHECK(place.check(path).clean());
  }
}

TEST_CASE("metadata: a VHD has two footers, and both get the id") {
  const MemoryPlace place;
  const auto path = make(place, {"vhd", ImageType::dynamic});
  auto change = change_of(place, path);
  change.description.disk_id = new_id;
  REQUIRE(outcome(change) == Errc::success);
  const auto bytes = place.bytes(path).all();
  const auto head = std::span(bytes).first(512);
  CHECK(std::ranges::equal(head, std::span(bytes).last(512)));
  CHECK(std::ranges::equal(head.subspan(68, 16), std::as_bytes(std::span(new_id.bytes))));
}

TEST_CASE("metadata: what a format does not have is refused, and nothing changes") {
  const MemoryPlace place;
  const auto vhd = make(place, {"vhd", ImageType::dynamic});
  const auto raw = place.create("disk.raw", disk_size);
  const auto bytes = place.bytes(vhd).all();
  auto change = change_of(place, vhd);
  change.description.physical_sector_size = 4096;
  CHECK(outcome(change) == Errc::unsupported);
  change.description = {.disk_id = Guid{}};
  CHECK(outcome(change) == Errc::invalid_argument);
  change = change_of(place, vhd);
  change.set = {{item_id, filled(8, 1)}};
  CHECK(outcome(change) == Errc::unsupported);
  CHECK(place.bytes(vhd).all() == bytes);
  change = change_of(place, raw);
  change.description.disk_id = new_id;
  CHECK(outcome(change) == Errc::unsupported);
  CHECK(list_metadata(vhd, place.options()).error().code == Errc::unsupported);
}

TEST_CASE("metadata: what the guest sees stays while an image has children, unless forced") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = make(place, {extension, ImageType::dynamic});
    const auto child = place.snapshot(base, "child." + extension);
    auto change = change_of(place, base);
    change.description.disk_id = new_id;
    CHECK(outcome(change) == Errc::has_children);
    CHECK(place.open(child).depth() == 2);
    change.force_children = true;
    CHECK(outcome(change) == Errc::success);
    CHECK(Disk::open(child, place.options()).error().code == Errc::parent_mismatch);
  }
}

TEST_CASE("metadata: an item of the file leaves children valid, one of the disk does not") {
  const MemoryPlace place;
  const auto base = make(place, {"vhdx", ImageType::dynamic});
  const auto child = place.snapshot(base, "child.vhdx");
  auto change = change_of(place, base);
  change.set = {{item_id, filled(100, 7)}};
  CHECK(outcome(change) == Errc::success);
  CHECK(place.open(child).depth() == 2);
  change.set.front().is_virtual_disk = true;
  CHECK(outcome(change) == Errc::has_children);
  CHECK(get_metadata(base, {.id = item_id}, place.options()).value() == filled(100, 7));
  CHECK(place.open(child).depth() == 2);
}

TEST_CASE("P13: metadata, canceled at every step, keeps what was done and leaves a clean image") {
  const MemoryPlace place;
  const auto path = make(place, {"vhdx", ImageType::differencing});
  const auto before = content(place, path);
  auto change = change_of(place, path);
  change.set = {{item_id, filled(100, 7)}, {new_id, filled(200, 8)}};
  change.description.disk_id = new_id;
  const u64 canceled = test::cancel_at_every_step(
      [&](Progress& progress) { return change_metadata(change, progress); },
      [&] {
        CHECK(content(place, path) == before);
        CHECK(place.check(path).clean());
        CHECK(place.open(path).layer(0)->image.id != new_id);
      });
  CHECK(canceled == 3);
  CHECK(place.open(path).layer(0)->image.id == new_id);
}
