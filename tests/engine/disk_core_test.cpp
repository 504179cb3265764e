#include "engine/disk_core.h"

#include <algorithm>
#include <thread>

#include <doctest/doctest.h>

#include "engine/copy.h"
#include "support/fake_image.h"

using namespace vdisk;
using test::FakeImage;
using test::FakeImageOptions;

namespace {

/// A disk over fake layers, leaf first; the raw pointers stay valid as long as the disk lives.
struct FakeDisk {
  explicit FakeDisk(const std::vector<FakeImageOptions>& shapes,
                    Access access = Access::read_write) {
    Chain chain;
    for (const auto& shape : shapes) {
      auto image = std::make_unique<FakeImage>(shape);
      images.push_back(image.get());
      auto file = std::make_shared<MemoryFile>("layer");
      chain.layers.push_back({.path = "layer", .file = file, .id = {}, .image = std::move(image)});
    }
    disk = std::make_unique<Disk>(DiskAccess::make(std::move(chain), access, nullptr));
  }

  std::vector<std::byte> read(u64 offset, u64 length) const {
    std::vector<std::byte> out(length, std::byte{0xEE});
    REQUIRE(disk->read(offset, out));
    return out;
  }

  std::vector<FakeImage*> images;
  std::unique_ptr<Disk> disk;
};

bool all(std::span<const std::byte> bytes, u8 value) {
  return std::ranges::all_of(bytes, [&](std::byte byte) { return byte == std::byte{value}; });
}

std::vector<std::byte> bytes(u64 length, u8 value) {
  return std::vector<std::byte>(length, std::byte{value});
}

constexpr FakeImageOptions child{.differencing = true};

}  // namespace

TEST_CASE("each sector comes from the topmost layer that says something about it") {
  FakeDisk fake({child, child, {}});
  fake.images[2]->fill(0, 64 * kib, 1);
  fake.images[1]->fill(4096, 8192, 2);
  fake.images[0]->fill(8192, 512, 3);
  fake.images[0]->set_state(16384, 1024, State::zero);

  CHECK(all(fake.read(0, 4096), 1));
  CHECK(all(fake.read(4096, 4096), 2));
  CHECK(all(fake.read(8192, 512), 3));
  CHECK(all(fake.read(8704, 3584), 2));
  CHECK(all(fake.read(16384, 1024), 0));
  CHECK(all(fake.read(17408, 512), 1));
  const auto across = fake.read(8191, 514);
  CHECK(across[0] == std::byte{2});
  CHECK(across[1] == std::byte{3});
  CHECK(across[513] == std::byte{2});
}

TEST_CASE("a map entry names the layer and the place in its file") {
  FakeDisk fake({child, {}});
  fake.images[1]->fill(4096, 4096, 1);
  const auto extent = fake.disk->extent_at(4096, mib);
  REQUIRE(extent);
  CHECK(extent->depth == 1);
  CHECK(extent->state == State::data);
  CHECK(extent->file_offset == 4096);
  CHECK(extent->length == 4096);
}

TEST_CASE("beyond the end of a parent everything reads as zeros") {
  FakeDisk fake({{.size = 32 * kib, .differencing = true}, {.size = 8 * kib}});
  fake.images[1]->fill(0, 8 * kib, 1);
  CHECK(all(fake.read(4096, 4096), 1));
  CHECK(all(fake.read(8192, 24 * kib), 0));
}

TEST_CASE("a short layer hides what a longer parent holds behind its end") {
  FakeDisk fake({{.size = 32 * kib, .differencing = true},
                 {.size = 8 * kib, .differencing = true},
                 {.size = 32 * kib}});
  fake.images[2]->fill(0, 32 * kib, 9);
  CHECK(all(fake.read(0, 8 * kib), 9));
  CHECK(all(fake.read(8 * kib, 24 * kib), 0));
}

TEST_CASE("PEERS 11: zeroing an absent range of a child hides the parent's data") {
  FakeDisk fake({child, {}});
  fake.images[1]->fill(0, 64 * kib, 1);
  REQUIRE(fake.disk->zero(512, 16 * kib));
  CHECK(all(fake.read(0, 512), 1));
  CHECK(all(fake.read(512, 16 * kib), 0));
  CHECK(all(fake.read(16 * kib + 512, 512), 1));
}

TEST_CASE("zeros are stored where the map cannot say zero") {
  FakeDisk fake({{.differencing = true, .can_drop_blocks = false}, {}});
  fake.images[1]->fill(0, 64 * kib, 1);
  REQUIRE(fake.disk->zero(0, 8192));
  CHECK(all(fake.read(0, 8192), 0));
  CHECK(fake.images[0]->extent_at(0, 8192)->state == State::data);
  CHECK(all(fake.read(8192, 512), 1));
}

TEST_CASE("zeroing what reads as zeros already stores nothing") {
  FakeDisk fake({FakeImageOptions{}});
  REQUIRE(fake.disk->zero(0, 64 * kib));
  CHECK(fake.images[0]->extent_at(0, 64 * kib)->state == State::absent);
}

TEST_CASE("a child never shows its parent's bytes after a discard") {
  FakeDisk fake({child, {}});
  fake.images[1]->fill(0, 64 * kib, 1);
  fake.images[0]->fill(0, 8192, 2);
  REQUIRE(fake.disk->discard(512, 16 * kib));
  CHECK(all(fake.read(0, 512), 2));
  CHECK(all(fake.read(512, 3584), 2));    // part of a block: the old bytes
  CHECK(all(fake.read(4096, 12288), 0));  // whole blocks
}

TEST_CASE("ranges are checked before anything happens") {
  FakeDisk fake({FakeImageOptions{}});
  std::vector<std::byte> out(512);
  CHECK(fake.disk->read(64 * kib - 511, out).error().code == Errc::end_of_file);
  CHECK(fake.disk->read(~u64{0}, out).error().code == Errc::end_of_file);
  CHECK(fake.disk->write(64 * kib, out).error().code == Errc::end_of_file);
  CHECK(fake.disk->write(1, out).error().code == Errc::invalid_argument);
  CHECK(fake.disk->zero(0, 100).error().code == Errc::invalid_argument);
  CHECK(fake.disk->discard(~u64{0} - 511, 512).error().code == Errc::end_of_file);
  CHECK(fake.disk->extent_at(64 * kib, 1).error().code == Errc::end_of_file);
  CHECK(fake.disk->layer(1).error().code == Errc::invalid_argument);
}

TEST_CASE("a disk that was opened read-only is not written") {
  FakeDisk fake({FakeImageOptions{}}, Access::read_only);
  CHECK(fake.disk->write(0, bytes(512, 1)).error().code == Errc::write_protected);
  CHECK(fake.disk->zero(0, 512).error().code == Errc::write_protected);
  CHECK(fake.disk->discard(0, 512).error().code == Errc::write_protected);
  CHECK(fake.disk->reserve(0, 512).error().code == Errc::write_protected);
  CHECK(fake.disk->flush());
  CHECK(fake.images[0]->calls()->flushes == 0);
}

TEST_CASE("space is reclaimed after the flush that follows a discard, and only then") {
  FakeDisk fake({FakeImageOptions{}});
  REQUIRE(fake.disk->write(0, bytes(4096, 1)));
  REQUIRE(fake.disk->flush());
  CHECK(fake.images[0]->calls()->reclaims == 0);
  REQUIRE(fake.disk->discard(0, 4096));
  CHECK(fake.images[0]->calls()->reclaims == 0);
  fake.images[0]->fail_flush = true;
  CHECK_FALSE(fake.disk->flush());
  CHECK(fake.images[0]->calls()->reclaims == 0);
}

TEST_CASE("closing flushes and closes the leaf only, and releases the layers") {
  FakeDisk fake({child, {}});
  const auto leaf = fake.images[0]->calls();
  const auto parent = fake.images[1]->calls();
  REQUIRE(fake.disk->close());
  CHECK(leaf->flushes == 1);
  CHECK(leaf->closes == 1);
  CHECK(parent->closes == 0);
  CHECK(leaf.use_count() == 1);
  CHECK(fake.disk->close());
}

TEST_CASE("unaligned writes change exactly their bytes") {
  for (const u64 offset : {u64{0}, u64{1}, u64{511}, u64{512}, u64{700}}) {
    for (const u64 length : {u64{1}, u64{511}, u64{512}, u64{513}, u64{3000}}) {
      CAPTURE(offset);
      CAPTURE(length);
      FakeDisk fake({child, {}});
      fake.images[1]->fill(0, 64 * kib, 1);
      REQUIRE(write_unaligned(*fake.disk, offset, bytes(length, 7)));
      CHECK(all(fake.read(0, offset), 1));
      CHECK(all(fake.read(offset, length), 7));
      CHECK(all(fake.read(offset + length, 4096), 1));
      REQUIRE(zero_unaligned(*fake.disk, offset, length));
      CHECK(all(fake.read(0, offset), 1));
      CHECK(all(fake.read(offset, length), 0));
      CHECK(all(fake.read(offset + length, 4096), 1));
    }
  }
  FakeDisk fake({FakeImageOptions{}});
  CHECK(write_unaligned(*fake.disk, 64 * kib - 1, bytes(2, 1)).error().code == Errc::end_of_file);
}

TEST_CASE("copying leaves zeros out and keeps everything else") {
  FakeDisk source({child, {}});
  source.images[1]->fill(0, 16 * kib, 1);
  source.images[0]->fill(4096, 512, 2);
  source.images[0]->fill(32 * kib, 8192, 0);  // stored zeros
  source.images[0]->fill(63 * kib + 512, 512, 3);
  FakeDisk target({FakeImageOptions{}});
  Progress progress;
  progress.expect(64 * kib);
  REQUIRE(copy_content(*source.disk, *target.disk, {}, progress));
  CHECK(source.read(0, 64 * kib) == target.read(0, 64 * kib));
  CHECK(target.images[0]->extent_at(32 * kib, 8192)->state == State::absent);
  CHECK(progress.status().current_value == 64 * kib);
}

TEST_CASE("E-23: concurrent writers of one sector leave one of the values in it") {
  FakeDisk fake({FakeImageOptions{}});
  constexpr int rounds = 200;
  const auto writer = [&](u8 value) {
    for (int round = 0; round < rounds; ++round) {
      CHECK(fake.disk->write(0, bytes(1024, value)));
    }
  };
  std::thread other(writer, u8{1});
  writer(2);
  other.join();
  for (const u64 sector : {u64{0}, u64{512}}) {
    const auto content = fake.read(sector, 512);
    CHECK((all(content, 1) || all(content, 2)));
  }
}
