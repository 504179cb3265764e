/// Manifests, changes since one, and diff.
#include "vdisk/manifest.h"

#include <doctest/doctest.h>

#include "support/canceling_progress.h"
#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::read;
using test::write_and_close;

namespace {

namespace fs = std::filesystem;
const std::vector<std::string> extensions = {"raw", "vhd", "vhdx"};

Manifest manifest_of(const MemoryPlace& place, const fs::path& path, u64 block_size = mib,
                     DigestAlgorithm algorithm = DigestAlgorithm::xxh3_128) {
  Progress progress;
  auto made = make_manifest(
      {.path = path, .block_size = block_size, .algorithm = algorithm, .open = place.options()},
      progress);
  REQUIRE_MESSAGE(made, made.error().message);
  return *std::move(made);
}

Result<ChangesSince> since(const MemoryPlace& place, const fs::path& path, Manifest manifest) {
  Progress progress;
  return changes_since({.path = path, .since = std::move(manifest), .open = place.options()},
                       progress);
}

Result<Changes> difference(const MemoryPlace& place, const fs::path& a, const fs::path& b,
                           u64 granularity) {
  Progress progress;
  return diff({.a = a, .b = b, .granularity = granularity, .open = place.options()}, progress);
}

std::string hex(const BlockDigest& block, std::size_t length) {
  std::string text;
  for (std::size_t at = 0; at < length; ++at) {
    text.push_back("0123456789abcdef"[block.bytes[at] >> 4]);
    text.push_back("0123456789abcdef"[block.bytes[at] & 15]);
  }
  return text;
}

/// What `changes` stand for: the old copy, brought up to date by them alone, is the new disk.
void check_apply(const MemoryPlace& place, std::vector<std::byte> old_copy, const fs::path& now,
                 const Changes& changes) {
  const auto disk = place.open(now);
  CHECK(changes.new_size == disk.size());
  old_copy.resize(changes.new_size);
  u64 changed = 0;
  for (const ChangedRange& range : changes.ranges) {
    const auto bytes = read(disk, range.offset, range.length);
    if (range.zero) CHECK(bytes == std::vector<std::byte>(range.length));
    std::ranges::copy(bytes, old_copy.begin() + static_cast<std::ptrdiff_t>(range.offset));
    changed += range.length;
  }
  CHECK(changed == changes.changed_bytes);
  CHECK(old_copy == read(disk, 0, disk.size()));
}

}  // namespace

TEST_CASE("manifest: known digests, zeros left out, the last block filled up") {
  const MemoryPlace place;
  const auto path = place.create("d.raw", 3 * mib + 512);
  write_and_close(place, path, 0, filled(mib, 0x61));
  write_and_close(place, path, 2 * mib, filled(mib, 0));
  write_and_close(place, path, 3 * mib, filled(512, 0x62));
  // As sha256sum says of 1 MiB of `a`, and of 512 times `b` with zeros up to 1 MiB.
  const auto sha = manifest_of(place, path, mib, DigestAlgorithm::sha256);
  REQUIRE(sha.blocks.size() == 2);
  CHECK(sha.blocks[0].index == 0);
  CHECK(hex(sha.blocks[0], 32) ==
        "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
  CHECK(sha.blocks[1].index == 3);
  CHECK(hex(sha.blocks[1], 32) ==
        "2ea1a3fe40a90bdec87cd8de4644edc7841f3e5843311e3b18c0d81be381a177");
  const auto fast = manifest_of(place, path);
  CHECK(fast.blocks.size() == 2);
  CHECK(fast.virtual_size == 3 * mib + 512);
}

TEST_CASE("manifest: equal for every format that holds the content, however zeros are stored") {
  const MemoryPlace place;
  std::vector<Manifest> manifests;
  for (const std::string& extension : extensions) {
    const auto path = place.create("d." + extension, 8 * mib);
    write_and_close(place, path, 5 * 4096, filled(3 * mib, 7));
    if (extension == "vhd") write_and_close(place, path, 6 * mib, filled(mib, 0));
    manifests.push_back(manifest_of(place, path, 64 * kib));
  }
  CHECK(manifests[0].blocks == manifests[1].blocks);
  CHECK(manifests[0].blocks == manifests[2].blocks);
  CHECK(manifests[0].blocks.size() == 49);
}

TEST_CASE("manifest: a hole of terabytes costs nothing") {
  const MemoryPlace place;
  const auto path = place.create("huge.vhdx", 60 * tib);
  write_and_close(place, path, 59 * tib, filled(512, 1));
  place.files->reset();
  const auto manifest = manifest_of(place, path);
  CHECK(manifest.blocks.size() == 1);
  CHECK(place.files->counts().reads < 200);
}

TEST_CASE("changes: blocks that changed, appeared, became zero; and sizes that grew") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto path = place.create("d." + extension, 8 * mib + 512);
    write_and_close(place, path, 0, filled(3 * mib, 1));
    const auto before = manifest_of(place, path);
    const auto old_copy = read(place.open(path), 0, 8 * mib + 512);
    auto nothing = since(place, path, before);
    REQUIRE(nothing);
    CHECK(nothing->changes.ranges.empty());

    write_and_close(place, path, mib + 512, filled(512, 2));
    write_and_close(place, path, 2 * mib, filled(mib, 0));
    write_and_close(place, path, 4 * mib, filled(2 * mib, 3));
    write_and_close(place, path, 8 * mib, filled(512, 4));
    auto result = since(place, path, before);
    REQUIRE(result);
    CHECK(result->changes.ranges == std::vector<ChangedRange>{{mib, mib, false},
                                                              {2 * mib, mib, true},
                                                              {4 * mib, 2 * mib, false},
                                                              {8 * mib, 512, false}});
    check_apply(place, old_copy, path, result->changes);

    Progress progress;
    REQUIRE(expand({.path = path, .size = 10 * mib, .open = place.options(Access::read_write)},
                   progress));
    write_and_close(place, path, 9 * mib, filled(mib, 5));
    result = since(place, path, before);
    REQUIRE(result);
    CHECK(result->changes.old_size == 8 * mib + 512);
    check_apply(place, old_copy, path, result->changes);
    CHECK(since(place, path, result->now)->changes.ranges.empty());
  }
}

TEST_CASE("changes: a manifest that breaks its own rules is refused") {
  const MemoryPlace place;
  const auto path = place.create("d.raw", 4 * mib);
  write_and_close(place, path, 0, filled(4 * mib, 1));
  const auto good = manifest_of(place, path);
  auto bad = good;
  std::swap(bad.blocks[0], bad.blocks[1]);
  CHECK(since(place, path, bad).error().code == Errc::invalid_data);
  bad = good;
  bad.blocks.back().index = 4;
  CHECK(since(place, path, bad).error().code == Errc::invalid_data);
  bad = good;
  bad.block_size = 3 * mib;
  CHECK(since(place, path, bad).error().code == Errc::invalid_data);
  Progress progress;
  for (const u64 block_size : {u64{0}, 2 * kib, 3 * mib, 512 * mib}) {
    CHECK(make_manifest({.path = path, .block_size = block_size, .open = place.options()}, progress)
              .error()
              .code == Errc::invalid_argument);
  }
}

TEST_CASE("diff: ranges in units of the granularity, and what they read as") {
  for (const std::string& extension : extensions) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto a = place.create("a." + extension, 4 * mib);
    const auto b = place.create("b." + extension, 5 * mib);
    write_and_close(place, a, 0, filled(2 * mib, 1));
    write_and_close(place, b, 0, filled(mib, 1));
    write_and_close(place, b, 512, filled(512, 2));
    write_and_close(place, b, 3 * mib + 512, filled(512, 3));
    write_and_close(place, b, 5 * mib - 512, filled(512, 4));
    const auto old_copy = read(place.open(a), 0, 4 * mib);
    for (const u64 granularity : {u64{512}, 64 * kib, mib, 4 * mib}) {
      CAPTURE(granularity);
      const auto changes = difference(place, a, b, granularity);
      REQUIRE_MESSAGE(changes, changes.error().message);
      check_apply(place, old_copy, b, *changes);
      for (const ChangedRange& range : changes->ranges) {
        CHECK(range.offset % granularity == 0);
        const u64 end = range.offset + range.length;
        CHECK((end % granularity == 0 || end == 5 * mib));
      }
    }
    CHECK(difference(place, a, b, 512)->ranges.front() == ChangedRange{512, 512, false});
    CHECK(difference(place, a, a, 512)->ranges.empty());
    CHECK(difference(place, a, b, 1000).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("diff: what a child shares with its parent is not read") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 64 * mib);
    write_and_close(place, base, 0, filled(48 * mib, 1));
    const auto child = place.snapshot(base, "child." + extension);
    write_and_close(place, child, 20 * mib + 512, filled(4096, 2));
    place.files->reset();
    const auto changes = difference(place, base, child, 4096);
    REQUIRE_MESSAGE(changes, changes.error().message);
    CHECK(changes->ranges == std::vector<ChangedRange>{{20 * mib, 8192, false}});
    CHECK(place.files->counts().read_bytes < 3 * mib);
  }
}

TEST_CASE("manifest, changes and diff can be canceled") {
  const MemoryPlace place;
  const auto path = place.create("d.vhdx", 8 * mib);
  write_and_close(place, path, 0, filled(4 * mib, 1));
  const auto other = place.create("e.vhdx", 8 * mib);
  const auto manifest = manifest_of(place, path);
  const auto nothing = [] {};
  CHECK(test::cancel_at_every_step(
            [&](Progress& progress) {
              return make_manifest({.path = path, .open = place.options()}, progress);
            },
            nothing) >= 2);
  CHECK(test::cancel_at_every_step(
            [&](Progress& progress) {
              return changes_since({.path = path, .since = manifest, .open = place.options()},
                                   progress);
            },
            nothing) >= 2);
  CHECK(test::cancel_at_every_step(
            [&](Progress& progress) {
              return diff({.a = path, .b = other, .open = place.options()}, progress);
            },
            nothing) >= 2);
}
