/// copy_over: what the target held before does not shine through, zeros least of all.
#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

#include "engine/compare.h"
#include "engine/copy.h"
#include "resize_subtypes.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 disk_size = 3 * mib;

/// Changes ranges of any sectors, so that extents of all states begin and end anywhere.
void scribble(Disk& disk, std::mt19937_64& random, int steps) {
  const u64 sector = disk.geometry().logical_sector_size;
  const u64 sectors = disk.size() / sector;
  for (int step = 0; step < steps; ++step) {
    const u64 first = random() % sectors;
    const u64 most = random() % 4 == 0 ? sectors : 24;
    const u64 offset = first * sector;
    const u64 length = (1 + random() % std::min(sectors - first, most)) * sector;
    const auto choice = random() % 5;
    if (choice < 3) must(disk.write(offset, filled(length, static_cast<int>(1 + random() % 255))));
    if (choice == 3) must(disk.zero(offset, length));
    if (choice == 4) must(disk.discard(offset, length));
  }
}

std::vector<std::byte> content(const Disk& disk) {
  return read(disk, 0, disk.size());
}

}  // namespace

TEST_CASE("a disk that held something else reads as the source, in every pair of subtypes") {
  const char* text = std::getenv("VDISK_SEED");
  const u64 seed = text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (const Subtype& from : subtypes) {
    for (const Subtype& to : subtypes) {
      if (to.sector != from.sector) continue;
      CAPTURE(describe(from));
      CAPTURE(describe(to));
      const MemoryPlace source_place;
      const MemoryPlace target_place;
      auto source = source_place.open(make(source_place, from, disk_size), Access::read_write);
      auto target = target_place.open(make(target_place, to, disk_size), Access::read_write);
      scribble(source, random, 30);
      scribble(target, random, 30);
      const auto before = content(target);
      const u64 begin = random() % 40 * 64 * kib;
      const u64 end = std::min(disk_size, begin + (1 + random() % 20) * 64 * kib);
      Progress progress;
      const auto counts = copy_over(source, target, {begin, end}, progress);
      REQUIRE_MESSAGE(counts, counts.error().message);
      auto expected = before;
      const auto copied = read(source, begin, end - begin);
      std::ranges::copy(copied, expected.begin() + static_cast<std::ptrdiff_t>(begin));
      CHECK(content(target) == expected);
    }
  }
}

TEST_CASE("zeros give the target's space back") {
  const MemoryPlace place;
  auto source = place.open(place.create("s.vhdx", 64 * mib));
  const auto path = place.create("t.vhdx", 64 * mib, {.path = {}, .block_size = u32{mib}});
  auto target = place.open(path, Access::read_write);
  must(target.write(0, filled(8 * mib, 1)));
  Progress progress;
  const auto counts = copy_over(source, target, {0, 64 * mib}, progress);
  REQUIRE(counts);
  CHECK(counts->written_bytes == 0);
  CHECK(counts->zeroed_bytes == 64 * mib);
  CHECK(target.count_blocks()->allocated == 0);
}
