#include "engine/dirty_chunks.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include <doctest/doctest.h>

using namespace vdisk;

namespace {

/// Everything that is dirty, taken in pieces of at most `limit`.
std::vector<GuestRange> take_all(DirtyChunks& dirty, u64 size, u64 limit) {
  std::vector<GuestRange> ranges;
  for (u64 from = 0; from < size;) {
    const auto range = dirty.take(from, limit);
    if (!range) break;
    ranges.push_back(*range);
    from = range->end;
  }
  return ranges;
}

}  // namespace

TEST_CASE("the bitmap never takes more than a MiB") {
  CHECK(DirtyChunks(mib).chunk_size() == 64 * kib);
  CHECK(DirtyChunks(512 * gib - 1).chunk_size() == 64 * kib);
  CHECK(DirtyChunks(512 * gib).chunk_size() == 128 * kib);
  for (const u64 size : {u64{1}, 512 * gib, 64 * tib, (u64{1} << 63) - 512}) {
    const u64 chunk = DirtyChunks(size).chunk_size();
    CHECK(size / chunk < 8 * mib);
    CHECK((chunk & (chunk - 1)) == 0);
  }
  CHECK(DirtyChunks(64 * tib).chunk_size() == 16 * mib);
}

TEST_CASE("chunks that a change touches are dirty until they are taken") {
  constexpr u64 size = 10 * 64 * kib + 512;
  DirtyChunks dirty(size);
  CHECK(dirty.dirty_bytes() == 0);
  CHECK_FALSE(dirty.take(0, mib));
  dirty.mark(64 * kib - 1, 2);
  CHECK(dirty.dirty_bytes() == 128 * kib);
  dirty.mark(size - 1, 1);
  const auto ranges = take_all(dirty, size, mib);
  REQUIRE(ranges.size() == 2);
  CHECK(ranges[0].begin == 0);
  CHECK(ranges[0].end == 128 * kib);
  CHECK(ranges[1].begin == 640 * kib);
  CHECK(ranges[1].end == size);
  CHECK(dirty.dirty_bytes() == 0);
}

TEST_CASE("what lies behind the end of the disk, or is nothing, marks nothing") {
  DirtyChunks dirty(mib);
  dirty.mark(mib, 512);
  dirty.mark(~u64{0} - 511, 512);
  dirty.mark(0, 0);
  CHECK(dirty.dirty_bytes() == 0);
  dirty.mark(mib - 512, ~u64{0});
  CHECK(dirty.dirty_bytes() == 64 * kib);
}

TEST_CASE("a piece is as long as the limit, but never shorter than a chunk") {
  DirtyChunks dirty(64 * tib);
  dirty.mark(0, 64 * tib);
  CHECK(dirty.dirty_bytes() == 64 * tib);
  const auto first = dirty.take(0, mib);
  REQUIRE(first);
  CHECK(first->end == 16 * mib);
  const auto second = dirty.take(first->end, 100 * mib);
  REQUIRE(second);
  CHECK(second->begin == 16 * mib);
  CHECK(second->end == 112 * mib);
  dirty.mark(32 * tib + 1, 1);  // is dirty already
  CHECK(dirty.dirty_bytes() == 64 * tib - 112 * mib);
}

TEST_CASE("random marks and takes against a set of chunks") {
  const char* text = std::getenv("VDISK_SEED");
  const u64 seed = text == nullptr ? std::random_device{}() : std::strtoull(text, nullptr, 10);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  constexpr u64 chunk = 64 * kib;
  constexpr u64 size = 300 * chunk + 4096;
  DirtyChunks dirty(size);
  std::set<u64> model;
  for (int step = 0; step < 3000; ++step) {
    if (random() % 3 != 0) {
      const u64 offset = random() % size;
      const u64 length = 1 + random() % (random() % 10 == 0 ? size : 2 * chunk);
      dirty.mark(offset, length);
      const u64 last = std::min(size, offset + length) - 1;
      for (u64 index = offset / chunk; index <= last / chunk; ++index) model.insert(index);
      continue;
    }
    const u64 from = random() % 301 * chunk;
    const auto range = dirty.take(from, (1 + random() % 70) * chunk);
    const auto expected = model.lower_bound(from / chunk);
    REQUIRE(range.has_value() == (expected != model.end()));
    if (!range) continue;
    REQUIRE(range->begin == *expected * chunk);
    for (u64 at = range->begin; at < range->end; at += chunk) {
      REQUIRE(model.erase(at / chunk) == 1);
    }
  }
  u64 bytes = 0;
  for (const u64 index : model) bytes += std::min(chunk, size - index * chunk);
  CHECK(dirty.dirty_bytes() >= bytes);
  CHECK(dirty.dirty_bytes() <= bytes + chunk);
}
