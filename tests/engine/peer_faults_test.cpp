/// Faults that other systems have (PEERS section 2, numbers 1 to 10): each is a test of ours.
#include <algorithm>

#include <doctest/doctest.h>

#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::LogEntry;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

constexpr u64 sector = 512;
constexpr std::array<u8, 16> log_guid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

Target blocks_of(u64 size) {
  Target target;
  target.block_size = static_cast<u32>(size);
  return target;
}

/// Which kinds of writes happened in which order: p payload, m map (BAT or log), f flush.
std::string order_of_changes(const MemoryPlace& place, std::pair<u64, u64> map,
                             const std::function<void()>& action) {
  std::string order;
  place.files->observe([&](const File&, const test::Change& change) {
    if (change.kind == test::Change::Kind::flush) order += 'f';
    if (change.kind != test::Change::Kind::write) return;
    const bool is_payload = change.length >= 4096 && change.data[100] == std::byte{0x5a} &&
                            change.data[4000] == std::byte{0x5a};
    if (is_payload) order += 'p';
    if (!is_payload && change.offset >= map.first && change.offset < map.second) order += 'm';
  });
  action();
  place.files->observe({});
  return order;
}

bool has_error(const CheckReport& report) {
  return std::ranges::any_of(report.findings,
                             [](const Finding& f) { return f.severity == Severity::error; });
}

/// Puts entries into the log from its start on and gives the log an identity.
void make_dirty(test::ImageBytes bytes, std::span<const LogEntry> entries) {
  u64 at = bytes.log();
  for (const auto& entry : entries) {
    const auto encoded = entry.encode(log_guid);
    bytes.write(at, encoded);
    at += encoded.size();
  }
  bytes.set_log_guid(log_guid);
}

}  // namespace

TEST_CASE("the log entries written here are those of the published vectors") {
  std::array<u8, 16> guid{};
  for (u8 i = 0; i < 16; ++i) guid[i] = i;
  test::Page page;
  for (u64 i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(i);
  LogEntry entry{.sequence = 0x200000001, .tail = 0, .file_size = 4 * mib, .data = {}, .zeros = {}};
  entry.data.push_back({3 * mib, page});
  const auto encoded = entry.encode(guid);
  CHECK(encoded.size() == 8192);
  const std::array crc{std::byte{0x2C}, std::byte{0xA9}, std::byte{0xDE}, std::byte{0xCD}};
  CHECK(std::ranges::equal(std::span(encoded).subspan(4, 4), crc));
}

TEST_CASE("peer fault 1: a differencing VHD is not a dynamic one") {
  const MemoryPlace place;
  const auto base = place.create("base.vhd", 2 * mib);
  write_and_close(place, base, 0, filled(2 * mib, 0x11));
  const auto child = place.snapshot(base, "child.vhd");
  CHECK(read(place.open(child), 0, 2 * mib) == filled(2 * mib, 0x11));

  write_and_close(place, child, 5 * sector, filled(sector, 0x22));
  const auto disk = place.open(child);
  CHECK(read(disk, 0, 5 * sector) == filled(5 * sector, 0x11));
  CHECK(read(disk, 5 * sector, sector) == filled(sector, 0x22));
  CHECK(read(disk, 6 * sector, 2 * mib - 6 * sector) == filled(2 * mib - 6 * sector, 0x11));

  const auto bytes = place.bytes(child);
  const u64 bitmap = u64{bytes.big32(bytes.big64(512 + 16))} * sector;
  auto expected = filled(sector, 0);
  expected[0] = std::byte{0x80 >> 5};
  CHECK(bytes.read(bitmap, sector) == expected);
}

TEST_CASE("peer fault 2: the BAT of a VHDX has a bitmap entry after every chunk") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 4 * gib + 3 * mib, blocks_of(mib));
  write_and_close(place, path, 4 * gib, filled(mib, 0x33));
  const auto bytes = place.bytes(path);
  CHECK(bytes.little64(bytes.bat() + 4095 * 8) % 8 != 6);
  CHECK(bytes.little64(bytes.bat() + 4096 * 8) == 0);
  const u64 entry = bytes.little64(bytes.bat() + 4097 * 8);
  CHECK(entry % mib == 6);
  CHECK(bytes.read(entry / mib * mib, mib) == filled(mib, 0x33));

  // The other way round: an entry written by hand is found.
  auto other = place.bytes(path);
  other.set_little64(other.bat() + 4098 * 8, entry);
  other.set_little64(other.bat() + 4097 * 8, 0);
  CHECK(read(place.open(path), 4 * gib + mib, mib) == filled(mib, 0x33));
  CHECK(read(place.open(path), 4 * gib, mib) == filled(mib, 0));
}

TEST_CASE("peer fault 3: a dirty log is neither ignored nor refused, and not one byte changes") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  {
    auto disk = place.open(path, Access::read_write);
    must(disk.write(3 * mib, filled(mib, 0x44)));
    must(disk.flush());  // no close: the map lies in the log
  }
  const auto before = place.bytes(path).all();
  {
    const auto disk = place.open(path);
    CHECK(disk.layer(0).value().dirty);
    CHECK(read(disk, 3 * mib, mib) == filled(mib, 0x44));
  }
  auto strict = place.options();
  strict.read_log = ReadLog::require_clean;
  const auto refused = Disk::open(path, strict);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::needs_replay);
  CHECK(place.bytes(path).all() == before);

  must(place.open(path, Access::read_write).close());
  CHECK(place.bytes(path).read(test::ImageBytes::headers[0] + 48, 16) == filled(16, 0));
  CHECK(!place.open(path).layer(0).value().dirty);
  CHECK(read(place.open(path), 3 * mib, mib) == filled(mib, 0x44));
}

TEST_CASE("peer fault 3: a log that was never written under its LogGuid has nothing to replay") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  write_and_close(place, path, 3 * mib, filled(mib, 0x44));
  auto bytes = place.bytes(path);
  bytes.set_log_guid(log_guid);
  const auto before = bytes.all();
  CHECK(read(place.open(path), 3 * mib, mib) == filled(mib, 0x44));
  CHECK(!has_error(place.check(path)));
  CHECK(bytes.all() == before);

  // An entry of that LogGuid that is not valid is damage, not emptiness.
  auto torn = LogEntry{.file_size = bytes.size()}.encode(log_guid);
  torn[4] ^= std::byte{1};
  bytes.write(bytes.log() + 4096 * 7, torn);
  const auto damaged = Disk::open(path, place.options());
  REQUIRE(!damaged);
  CHECK(kind(damaged.error().code) == ErrorKind::corrupt);
  bytes.write(bytes.log() + 4096 * 7, test::Page{});

  must(place.open(path, Access::read_write).close());
  CHECK(place.check(path).clean());
  CHECK(read(place.open(path), 3 * mib, mib) == filled(mib, 0x44));
}

TEST_CASE("peer fault 4: data are durable before the map of a VHD names them") {
  const MemoryPlace place;
  const auto path = place.create("a.vhd", 64 * mib, blocks_of(2 * mib));
  auto disk = place.open(path, Access::read_write);
  must(disk.write(0, filled(4096, 1)));
  must(disk.flush());
  const auto order = order_of_changes(place, {0, 2048}, [&] {
    must(disk.write(6 * mib, filled(4096, 0x5a)));
    must(disk.flush());
  });
  CAPTURE(order);
  const auto payload = order.rfind('p');
  const auto published = order.find('m', payload);
  REQUIRE(payload != std::string::npos);
  REQUIRE(published != std::string::npos);
  CHECK(order.find('f', payload) < published);
  CHECK(order.find('f', published) != std::string::npos);
}

TEST_CASE("peer fault 4: data in reused space are durable before the log of a VHDX names them") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 64 * mib, blocks_of(2 * mib));
  auto disk = place.open(path, Access::read_write);
  for (u64 block = 0; block < 4; ++block) must(disk.write(block * 2 * mib, filled(2 * mib, 1)));
  must(disk.close());
  const auto bytes = place.bytes(path);
  const auto place_of = [&](u64 block) { return bytes.little64(bytes.bat() + block * 8) / mib; };
  const std::array before{place_of(0), place_of(1), place_of(2), place_of(3)};
  disk = place.open(path, Access::read_write);
  must(disk.discard(0, 8 * mib));
  for (int round = 0; round < 3; ++round) {  // until the freeing is durable and the log is past it
    must(disk.write(20 * mib, filled(sector, round + 2)));
    must(disk.flush());
  }
  const auto order = order_of_changes(place, {mib, 4 * mib}, [&] {
    must(disk.write(12 * mib, filled(4096, 0x5a)));
    must(disk.flush());
  });
  CAPTURE(order);
  must(disk.close());
  const u64 reused = place_of(6);
  CHECK(std::ranges::find(before, reused) != before.end());
  const auto payload = order.rfind('p');
  const auto published = order.find('m', payload);
  REQUIRE(payload != std::string::npos);
  REQUIRE(published != std::string::npos);
  CHECK(order.find('f', payload) < published);
  CHECK(order.find('f', published) != std::string::npos);
}

TEST_CASE("peer fault 5: check sees two entries on one block") {
  const MemoryPlace place;
  const auto vhd = place.create("a.vhd", 8 * mib);
  write_and_close(place, vhd, 0, filled(sector, 1));
  CHECK(!has_error(place.check(vhd)));
  auto vhd_bytes = place.bytes(vhd);
  const u64 table = vhd_bytes.big64(512 + 16);
  vhd_bytes.set_big32(table + 4, vhd_bytes.big32(table));
  CHECK(has_error(place.check(vhd)));

  const auto vhdx = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  write_and_close(place, vhdx, 0, filled(sector, 1));
  CHECK(!has_error(place.check(vhdx)));
  auto vhdx_bytes = place.bytes(vhdx);
  vhdx_bytes.set_little64(vhdx_bytes.bat() + 8, vhdx_bytes.little64(vhdx_bytes.bat()));
  CHECK(has_error(place.check(vhdx)));
}

TEST_CASE("peer fault 6: one damaged copy of a doubled structure is survived and reported") {
  const MemoryPlace place;
  const auto junk = filled(512, 0xAB);
  const auto vhdx = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  write_and_close(place, vhdx, 5 * mib, filled(mib, 0x66));
  for (const u64 copy : {64 * kib, 128 * kib, 192 * kib, 256 * kib}) {
    CAPTURE(copy);
    auto bytes = place.bytes(vhdx);
    const auto good = bytes.read(copy, 512);
    bytes.write(copy, junk);
    const auto before = bytes.all();
    CHECK(read(place.open(vhdx), 5 * mib, mib) == filled(mib, 0x66));
    CHECK(!place.check(vhdx).clean());
    CHECK(bytes.all() == before);
    bytes.write(copy, good);
  }
  CHECK(place.check(vhdx).clean());

  const auto vhd = place.create("a.vhd", 8 * mib);
  write_and_close(place, vhd, 5 * mib, filled(mib, 0x66));
  for (const u64 copy : {u64{0}, place.bytes(vhd).footer()}) {
    CAPTURE(copy);
    auto bytes = place.bytes(vhd);
    const auto good = bytes.read(copy, 512);
    bytes.write(copy, junk);
    const auto before = bytes.all();
    CHECK(read(place.open(vhd), 5 * mib, mib) == filled(mib, 0x66));
    CHECK(!place.check(vhd).clean());
    CHECK(bytes.all() == before);
    bytes.write(copy, good);
  }
  CHECK(place.check(vhd).clean());
}

TEST_CASE("peer fault 7: the log search ends on a full ring of empty entries") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  write_and_close(place, path, 0, filled(mib, 0x77));
  auto bytes = place.bytes(path);
  std::vector<LogEntry> ring(bytes.log_length() / 4096);
  for (u64 i = 0; i < ring.size(); ++i) {
    ring[i] = {.sequence = i + 1, .tail = 0, .file_size = bytes.size()};
  }
  make_dirty(place.bytes(path), ring);
  CHECK(read(place.open(path), 0, mib) == filled(mib, 0x77));
  must(place.open(path, Access::read_write).close());
  CHECK(place.check(path).clean());
}

TEST_CASE("peer fault 7: a replay obeys no target over headers and zeroes no terabytes") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib, blocks_of(mib));
  write_and_close(place, path, 0, filled(mib, 0x77));
  const u64 size = place.bytes(path).size();
  const u64 bat = place.bytes(path).bat();
  const test::Page page{};
  const LogEntry good{.file_size = size, .data = {{bat, place.bytes(path).page(bat)}}};
  auto entries = std::array{good, good, good, good, good};
  entries[0].data.push_back({0, page});
  entries[1].data.push_back({128 * kib, page});
  entries[2].zeros.push_back({3 * mib, 16 * tib});
  entries[3].zeros.push_back({0, size});
  entries[4].data.push_back({mib, page});  // the log itself
  for (const auto& entry : entries) {
    make_dirty(place.bytes(path), std::array{entry});
    const auto before = place.bytes(path).all();
    for (const auto access : {Access::read_only, Access::read_write}) {
      const auto disk = Disk::open(path, place.options(access));
      REQUIRE(!disk);
      CHECK(kind(disk.error().code) == ErrorKind::corrupt);
    }
    CHECK(place.bytes(path).all() == before);
  }
}

TEST_CASE("peer fault 7: an entry with more than 126 descriptors is replayed") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 128 * gib, blocks_of(mib));
  constexpr u64 table_page = 129;
  constexpr u64 index = table_page * 512 + 3;
  constexpr u64 block = index - index / 4097;  // without the bitmap entries before it
  write_and_close(place, path, block * mib, filled(mib, 0x78));

  auto bytes = place.bytes(path);
  LogEntry entry{.file_size = bytes.size()};
  for (u64 i = 0; i <= table_page; ++i) {
    const u64 offset = bytes.bat() + i * 4096;
    entry.data.push_back({offset, bytes.page(offset)});
  }
  bytes.write(bytes.bat() + table_page * 4096, test::Page{});
  CHECK(read(place.open(path), block * mib, mib) == filled(mib, 0));
  make_dirty(place.bytes(path), std::array{entry});
  CHECK(read(place.open(path), block * mib, mib) == filled(mib, 0x78));
  must(place.open(path, Access::read_write).close());
  CHECK(read(place.open(path), block * mib, mib) == filled(mib, 0x78));
}

TEST_CASE("peer fault 8: a footer in the first sector of a fixed VHD is the guest's data") {
  const MemoryPlace place;
  const auto other = place.create("other.vhd", 64 * mib);
  const auto forged = place.bytes(other).read(0, 1024);
  Target fixed;
  fixed.type = ImageType::fixed;
  const auto path = place.create("fixed.vhd", 4 * mib, fixed);
  write_and_close(place, path, 0, forged);
  const auto disk = place.open(path);
  CHECK(disk.size() == 4 * mib);
  CHECK(disk.layer(0).value().image.type == ImageType::fixed);
  CHECK(read(disk, 0, 1024) == forged);
  CHECK(read(disk, 1024, mib) == filled(mib, 0));
}

TEST_CASE("peer fault 9: one bit of a VHD bitmap speaks for one sector") {
  const MemoryPlace place;
  const auto base = place.create("base.vhd", 2 * mib);
  write_and_close(place, base, 0, filled(2 * mib, 0x11));
  const auto child = place.snapshot(base, "child.vhd");
  {
    auto disk = place.open(child, Access::read_write);
    for (u64 i = 0; i < 64; i += 3) must(disk.write(i * sector, filled(sector, 0x22)));
    must(disk.close());
  }
  const auto disk = place.open(child);
  for (u64 i = 0; i < 64; ++i) {
    CAPTURE(i);
    CHECK(read(disk, i * sector, sector) == filled(sector, i % 3 == 0 ? 0x22 : 0x11));
  }
}

TEST_CASE("peer fault 9: states 1, 2 and 3 of a VHDX child hide the parent, state 0 shows it") {
  const MemoryPlace place;
  const auto base = place.create("base.vhdx", 4 * mib, blocks_of(mib));
  write_and_close(place, base, 0, filled(4 * mib, 0x11));
  const auto child = place.snapshot(base, "child.vhdx", blocks_of(mib));
  auto bytes = place.bytes(child);
  for (u64 state = 0; state < 4; ++state) bytes.set_little64(bytes.bat() + state * 8, state);
  const auto disk = place.open(child);
  CHECK(read(disk, 0, mib) == filled(mib, 0x11));
  CHECK(read(disk, mib, 3 * mib) == filled(3 * mib, 0));
}

TEST_CASE("peer fault 10: a read across block ends goes on in the next block") {
  const MemoryPlace place;
  for (const char* name : {"a.vhd", "a.vhdx"}) {
    CAPTURE(name);
    const auto path = place.create(name, 8 * mib, blocks_of(2 * mib));
    auto disk = place.open(path, Access::read_write);
    for (const u64 block : {2U, 0U, 3U, 1U}) {  // not in the file's order
      must(disk.write(block * 2 * mib, filled(2 * mib, static_cast<int>(0xA0 + block))));
    }
    const auto all = read(disk, 0, 8 * mib);
    for (u64 i = 0; i < all.size(); ++i) {
      const auto expected = static_cast<std::byte>(0xA0 + i / (2 * mib));
      if (all[i] != expected) FAIL("wrong byte at ", i);
    }
    const auto across = read(disk, 4 * mib - 3, 6);
    CHECK(across[2] == std::byte{0xA1});
    CHECK(across[3] == std::byte{0xA2});
    must(disk.close());
  }
}
