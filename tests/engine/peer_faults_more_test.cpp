/// Faults that other systems have (PEERS section 2, numbers 11 to 18): each is a test of ours.
#include <doctest/doctest.h>

#include "base/checksum.h"
#include "io/memory_file.h"
#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::ImageBytes;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

constexpr u64 sector = 512;

Target blocks_of(u64 size) {
  Target target;
  target.block_size = static_cast<u32>(size);
  return target;
}

Target fixed() {
  Target target;
  target.type = ImageType::fixed;
  return target;
}

MergeOptions merge_options(const MemoryPlace& place, const std::filesystem::path& child) {
  MergeOptions options;
  options.child = child;
  options.open = place.options(Access::read_write);
  return options;
}

void put_text(ImageBytes& bytes, u64 offset, std::string_view text) {
  bytes.write(offset, std::as_bytes(std::span(text)));
}

bool is_footer(std::span<const std::byte> bytes) {
  u32 stored = 0;
  for (std::size_t i = 64; i < 68; ++i) stored = stored << 8 | static_cast<u32>(bytes[i]);
  return bytes[0] == std::byte{'c'} && stored == vhd_checksum(bytes, 64);
}

}  // namespace

TEST_CASE("peer fault 11: zeros written over a parent's data in an absent block read as zeros") {
  const MemoryPlace place;
  for (const std::string extension : {"vhd", "vhdx"}) {
    for (const bool by_zero : {true, false}) {
      CAPTURE(extension);
      CAPTURE(by_zero);
      const auto name = extension + (by_zero ? "1" : "2");
      const auto base = place.create("base" + name + "." + extension, 6 * mib);
      write_and_close(place, base, 0, filled(6 * mib, 0x11));
      const auto child = place.snapshot(base, "child" + name + "." + extension, blocks_of(2 * mib));
      auto disk = place.open(child, Access::read_write);
      const u64 length = 2 * mib + 3 * sector;  // one whole block and a part of the next
      must(by_zero ? disk.zero(2 * mib, length) : disk.write(2 * mib, filled(length, 0)));
      CHECK(read(disk, 2 * mib, length) == filled(length, 0));
      must(disk.close());
      const auto again = place.open(child);
      CHECK(read(again, 0, 2 * mib) == filled(2 * mib, 0x11));
      CHECK(read(again, 2 * mib, length) == filled(length, 0));
      CHECK(read(again, 2 * mib + length, mib) == filled(mib, 0x11));
    }
  }
}

TEST_CASE("peer fault 12: the first entry of a BAT page does not shift the others") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", gib, blocks_of(mib));
  {
    auto disk = place.open(path, Access::read_write);
    for (const u64 block : {513U, 515U, 511U, 512U}) {
      must(disk.write(block * mib, filled(mib, static_cast<int>(block & 0xFF))));
      must(disk.flush());
    }
  }
  for (const auto access : {Access::read_only, Access::read_write}) {
    auto disk = place.open(path, access);
    for (const u64 block : {511U, 512U, 513U, 515U}) {
      CHECK(read(disk, block * mib, mib) == filled(mib, static_cast<int>(block & 0xFF)));
    }
    CHECK(read(disk, 514 * mib, mib) == filled(mib, 0));
    CHECK(read(disk, 516 * mib, mib) == filled(mib, 0));
    if (access == Access::read_write) must(disk.close());
  }
  CHECK(place.check(path).clean());
}

TEST_CASE("peer fault 13: a merge writes into no file but the parent that the child names") {
  const MemoryPlace place;
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const auto base = place.create("base." + extension, 8 * mib);
    const auto child = place.snapshot(base, "child." + extension);
    write_and_close(place, child, 0, filled(mib, 0x22));
    must(place.files->remove(base));
    place.create("base." + extension, 8 * mib);
    const auto before = place.bytes(base).all();
    Progress progress;
    const auto merged = merge(merge_options(place, child), progress);
    REQUIRE(!merged);
    CHECK(kind(merged.error().code) == ErrorKind::parent_mismatch);
    CHECK(place.bytes(base).all() == before);
  }
}

TEST_CASE("peer fault 13: at every instant of a merge the parent is a valid image") {
  const MemoryPlace place;
  const auto base = place.create("base.vhd", 6 * mib);
  write_and_close(place, base, 0, filled(3 * mib, 0x11));
  const auto child = place.snapshot(base, "child.vhd");
  write_and_close(place, child, mib, filled(4 * mib, 0x22));
  int instants = 0;
  int without_footer = 0;
  place.files->observe([&](const File& file, const test::Change&) {
    std::vector<std::byte> head(sector);
    std::vector<std::byte> tail(sector);
    REQUIRE(file.read_at(0, head));
    REQUIRE(file.read_at(file.size().value() - sector, tail));
    ++instants;
    if (!is_footer(head) || !is_footer(tail)) ++without_footer;
  });
  Progress progress;
  const auto merged = merge(merge_options(place, child), progress);
  place.files->observe({});
  REQUIRE_MESSAGE(merged, merged.error().message);
  CHECK(instants > 5);
  CHECK(without_footer == 0);
  CHECK(read(place.open(base), 0, mib) == filled(mib, 0x11));
  CHECK(read(place.open(base), mib, 4 * mib) == filled(4 * mib, 0x22));
}

TEST_CASE("peer fault 14: a large table is not loaded as a whole") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 64 * tib, blocks_of(mib));
  place.files->reset();
  const auto disk = place.open(path);
  CHECK(read(disk, 64 * tib - sector, sector) == filled(sector, 0));
  CHECK(place.files->counts().read_bytes <= 512 * kib);
}

TEST_CASE("peer fault 15: the size of a VHD is its current size, whoever wrote it") {
  const MemoryPlace place;
  const auto path = place.create("a.vhd", 127 * gib);
  auto bytes = place.bytes(path);
  constexpr u64 chs_size = u64{65278} * 16 * 255 * sector;
  for (const std::string_view creator : {"vpc ", "vbox", "vs  ", "????", "qemu", "win "}) {
    CAPTURE(creator);
    put_text(bytes, bytes.footer() + 28, creator);
    bytes.set_big64(bytes.footer() + 40, 5 * gib);  // the original size says nothing
    bytes.seal_footer();
    CHECK(place.open(path).size() == 127 * gib);
    auto options = place.options();
    options.vhd_size = VhdSize::chs;
    const auto disk = Disk::open(path, options);
    REQUIRE(disk);
    const bool by_chs = creator == "vpc " || creator == "qemu";
    CHECK(disk->size() == (by_chs ? chs_size : 127 * gib));
  }
}

TEST_CASE("peer fault 16: flushes come from the guest, not from new blocks") {
  const MemoryPlace place;
  struct Limit {
    std::string name;
    u64 flushes;  ///< a VHD makes its new end durable, in steps of many blocks
    u64 writes;   ///< of 100 new blocks; a VHD block has a bitmap
  };
  for (const auto& [name, flushes, writes] : {Limit{"a.vhd", 4, 210}, Limit{"a.vhdx", 0, 110}}) {
    CAPTURE(name);
    const auto path = place.create(name, 256 * mib, blocks_of(2 * mib));
    auto disk = place.open(path, Access::read_write);
    must(disk.write(0, filled(4096, 1)));
    place.files->reset();
    for (u64 block = 1; block < 100; ++block) must(disk.write(block * 2 * mib, filled(4096, 1)));
    CHECK(place.files->counts().flushes <= flushes);
    CHECK(place.files->counts().writes <= writes);
    place.files->reset();
    for (u64 i = 0; i < 200; ++i) must(disk.write(i * 37 % 100 * 2 * mib, filled(4096, 2)));
    CHECK(place.files->counts().flushes == 0);
    CHECK(place.files->counts().writes == 200);
    must(disk.close());
  }
}

TEST_CASE("peer fault 17: two identical headers are one header") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * mib, blocks_of(mib));
  write_and_close(place, path, mib, filled(mib, 0x17));
  auto bytes = place.bytes(path);
  const bool first_is_newer = bytes.little64(64 * kib + 8) > bytes.little64(128 * kib + 8);
  if (first_is_newer) bytes.write(128 * kib, bytes.read(64 * kib, 4096));
  if (!first_is_newer) bytes.write(64 * kib, bytes.read(128 * kib, 4096));
  CHECK(read(place.open(path), mib, mib) == filled(mib, 0x17));
  write_and_close(place, path, 0, filled(sector, 0x18));
  CHECK(read(place.open(path), 0, sector) == filled(sector, 0x18));
  CHECK(place.check(path).clean());
}

TEST_CASE("peer fault 17: headers with different DataWriteGuid are both headers") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * mib, blocks_of(mib));
  write_and_close(place, path, mib, filled(mib, 0x17));
  auto bytes = place.bytes(path);
  const bool first_is_newer = bytes.little64(64 * kib + 8) > bytes.little64(128 * kib + 8);
  const u64 older = first_is_newer ? 128 * kib : 64 * kib;
  bytes.write(older + 32, filled(16, 0xDD));
  bytes.seal_header(older);
  CHECK(read(place.open(path), mib, mib) == filled(mib, 0x17));
  CHECK(place.open(path).layer(0).value().image.data_write_id != Guid{});
}

TEST_CASE("peer fault 17: the last block may end with the disk at the end of the file") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", mib + 512 * kib, blocks_of(mib));
  write_and_close(place, path, mib, filled(512 * kib, 0x17));
  auto bytes = place.bytes(path);
  const u64 last_block = bytes.little64(bytes.bat() + 8) / mib * mib;
  bytes.resize(last_block + 512 * kib);
  CHECK(read(place.open(path), mib, 512 * kib) == filled(512 * kib, 0x17));
  write_and_close(place, path, mib + 4096, filled(4096, 0x18));
  CHECK(read(place.open(path), mib + 4096, 4096) == filled(4096, 0x18));
}

TEST_CASE("peer fault 17: regions that are not marked as required are the known ones") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * mib, blocks_of(mib));
  write_and_close(place, path, mib, filled(mib, 0x17));
  auto bytes = place.bytes(path);
  for (const u64 table : ImageBytes::region_tables) {
    bytes.set_little32(table + 16 + 28, 0);
    bytes.set_little32(table + 48 + 28, 0);
    bytes.seal_region_table(table);
  }
  CHECK(read(place.open(path), mib, mib) == filled(mib, 0x17));
  CHECK(place.check(path).clean());
}

TEST_CASE("peer fault 17: a footer of 511 bytes is a footer") {
  const MemoryPlace place;
  const auto path = place.create("a.vhd", 4 * mib, fixed());
  write_and_close(place, path, mib, filled(mib, 0x17));
  auto bytes = place.bytes(path);
  bytes.resize(bytes.size() - 1);
  CHECK(read(place.open(path), mib, mib) == filled(mib, 0x17));
  CHECK(place.open(path).size() == 4 * mib);
}

TEST_CASE("peer fault 17: an image with a Xen batmap is not written, or its map stays right") {
  const MemoryPlace place;
  const auto path = place.create("a.vhd", 6 * mib);
  auto bytes = place.bytes(path);
  const u64 header = 2048;  // behind the table of three entries, before the first block
  REQUIRE(bytes.size() >= header + 1024);
  put_text(bytes, bytes.footer() + 28, std::string_view("tap\0\0\1\0\3", 8));
  bytes.seal_footer();
  put_text(bytes, header, "tdbatmap");
  bytes.set_big64(header + 8, header + 512);
  bytes.set_big32(header + 16, 1);
  bytes.set_big32(header + 20, 0x00010002);
  bytes.set_big32(header + 24, 0xFFFFFFFF);  // of a map of zeros
  const auto before = bytes.all();
  CHECK(read(place.open(path), 0, 6 * mib) == filled(6 * mib, 0));
  auto disk = Disk::open(path, place.options(Access::read_write));
  if (!disk) {
    CHECK(bytes.all() == before);
    return;
  }
  must(disk->write(0, filled(sector, 1)));
  must(disk->close());
  CHECK(bytes.read(header, 1024) == std::vector(before.begin() + 2048, before.begin() + 3072));
}

TEST_CASE("peer fault 18: unknown user metadata are kept byte for byte") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * mib, blocks_of(mib));
  auto bytes = place.bytes(path);
  const u64 table = bytes.metadata();
  const u16 count = bytes.little16(table + 10);
  const u64 entry = table + 32 + u64{count} * 32;
  constexpr u32 place_of_item = 512 * 1024;
  bytes.write(entry, filled(16, 0x5E));
  bytes.set_little32(entry + 16, place_of_item);
  bytes.set_little32(entry + 20, 37);
  bytes.set_little32(entry + 24, 1);  // user, not required
  bytes.set_little16(table + 10, static_cast<u16>(count + 1));
  bytes.write(table + place_of_item, filled(37, 0x9C));
  const auto stored = bytes.read(entry, 32);

  CHECK(place.check(path).clean());
  write_and_close(place, path, mib, filled(mib, 0x18));
  ExpandOptions options;
  options.path = path;
  options.size = 4 * tib;
  options.open = place.options(Access::read_write);
  Progress progress;
  const auto expanded = expand(options, progress);
  REQUIRE_MESSAGE(expanded, expanded.error().message);
  CHECK(bytes.read(entry, 32) == stored);
  CHECK(bytes.read(table + place_of_item, 37) == filled(37, 0x9C));
  CHECK(read(place.open(path), mib, mib) == filled(mib, 0x18));
}
