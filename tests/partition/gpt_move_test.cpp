/// Moving a GPT to another end of its disk: what is written, in which order, and that it is sound.
#include "partition/gpt_move.h"

#include <algorithm>

#include <doctest/doctest.h>

#include "partition/disk_bytes.h"
#include "support/disk_builder.h"

using namespace vdisk;
using namespace vdisk::partition;
using test::disk_of;
using test::GptShape;

namespace {

using Bytes = std::vector<std::byte>;

PartitionTable table_of(const Bytes& bytes, u32 sector_size = 512) {
  auto table = read_partition_table(disk_of(bytes, sector_size));
  REQUIRE(table);
  REQUIRE(table->gpt);
  return *std::move(table);
}

std::optional<GptMove> plan(const Bytes& bytes, u32 sector_size, u64 new_size) {
  const auto table = table_of(bytes, sector_size);
  REQUIRE(table.fits(new_size));
  auto move = plan_gpt_move(disk_of(bytes, sector_size), table, new_size);
  REQUIRE(move);
  return *std::move(move);
}

void put(Bytes& bytes, const TableWrite& write) {
  if (bytes.size() < write.offset + write.bytes.size()) {
    bytes.resize(write.offset + write.bytes.size());
  }
  std::ranges::copy(write.bytes, bytes.begin() + static_cast<std::ptrdiff_t>(write.offset));
}

/// The whole move, on a disk that is cut or grown to its new size in the end.
Bytes moved(Bytes bytes, const GptMove& move, u64 new_size) {
  put(bytes, move.first);
  for (const TableWrite& write : move.then) put(bytes, write);
  for (const ByteRange& range : move.stale) {
    for (u64 at = range.begin; at < std::min<u64>(range.end, bytes.size()); ++at) bytes[at] = {};
  }
  bytes.resize(new_size);
  return bytes;
}

GptShape shape_of(u32 sector_size, u64 sectors) {
  return {.sectors = sectors, .sector_size = sector_size, .parts = {{100, 199, "boot"}}};
}

}  // namespace

TEST_CASE("a moved table equals one that was made for the size") {
  for (const u32 sector_size : {512U, 4096U}) {
    for (const u64 sectors : {233U, 240U, 1999U, 2001U, 2048U, 2080U, 5000U}) {
      CAPTURE(sector_size);
      CAPTURE(sectors);
      const auto before = test::gpt_disk(shape_of(sector_size, 2000));
      const u64 new_size = sectors * sector_size;
      const auto move = plan(before, sector_size, new_size);
      REQUIRE(move);
      CHECK(moved(before, *move, new_size) == test::gpt_disk(shape_of(sector_size, sectors)));
    }
  }
}

TEST_CASE("at every step one copy is sound and the partitions are there") {
  const auto before = test::gpt_disk(shape_of(512, 2000));
  for (const u64 sectors : {300U, 2010U, 4000U}) {
    CAPTURE(sectors);
    const u64 new_size = sectors * 512;
    const auto move = plan(before, 512, new_size);
    REQUIRE(move);
    auto bytes = before;
    bytes.resize(std::max<u64>(bytes.size(), new_size));
    const auto check = [&] {
      const auto table = read_partition_table(disk_of(bytes, 512));
      REQUIRE(table);
      REQUIRE(table->gpt);
      CHECK(table->gpt->primary);
      CHECK(table->partitions.size() == 1);
    };
    put(bytes, move->first);
    check();
    CHECK_FALSE(move->then.empty());
    for (const TableWrite& write : move->then) {
      put(bytes, write);
      check();
    }
    CHECK(read_partition_table(disk_of(bytes, 512))->gpt->backups.size() >= 1);
  }
}

TEST_CASE("a table at its place does not move; one without backup gets it") {
  auto bytes = test::gpt_disk(shape_of(512, 2000));
  CHECK_FALSE(plan(bytes, 512, bytes.size()));
  const auto sound = bytes;
  bytes[1999 * 512] = {};
  const auto move = plan(bytes, 512, bytes.size());
  REQUIRE(move);
  CHECK(moved(bytes, *move, bytes.size()) == sound);
}

TEST_CASE("a damaged primary is made anew where it was, before its backup moves") {
  const auto sound = test::gpt_disk(shape_of(512, 2000));
  auto bytes = sound;
  bytes[512] = {};
  bytes[1024 + 3] = {};
  const auto rescue = rescue_primary(table_of(bytes));
  REQUIRE(rescue);
  const auto move = plan(bytes, 512, 3000 * 512);
  REQUIRE(move);
  for (const TableWrite& write : *rescue) put(bytes, write);
  CHECK(bytes == sound);
  CHECK(moved(bytes, *move, 3000 * 512) == test::gpt_disk(shape_of(512, 3000)));
}

TEST_CASE("a primary is not made anew over somebody's sectors") {
  auto shape = shape_of(512, 2000);
  shape.parts = {{20, 199, "early"}};
  auto early = test::gpt_disk(shape);
  early[512] = {};
  CHECK_FALSE(rescue_primary(table_of(early)));
  auto usable = test::gpt_disk(shape_of(512, 2000));
  usable[512] = {};
  test::put_little(usable, 1999 * 512 + 40, 33, 8);  // the room for partitions begins earlier
  test::seal_gpt(usable, 1999, 512);
  CHECK_FALSE(rescue_primary(table_of(usable)));
}

TEST_CASE("what counts is never given up as a stale backup") {
  auto shape = shape_of(512, 2000);
  shape.parts = {{100, 199, "boot"}, {1900, 1999, "over the backup"}};
  auto bytes = test::gpt_disk(shape);  // the partition has grown over the former backup
  bytes.resize(3000 * 512);
  const auto over = plan(bytes, 512, 3000 * 512);
  REQUIRE(over);
  CHECK(over->stale.empty());
  for (const u64 alternate : {u64{0}, u64{1}, u64{1} << 60, ~u64{0}}) {
    CAPTURE(alternate);
    auto odd = test::gpt_disk(shape_of(512, 2000));
    test::put_little(odd, 512 + 32, alternate, 8);
    test::seal_gpt(odd, 1, 512);
    odd.resize(3000 * 512);
    const auto move = plan(odd, 512, 3000 * 512);
    REQUIRE(move);
    CHECK(move->stale.empty());
  }
}

TEST_CASE("a move is planned around what is no one's: zeros, backups, and a torn move") {
  const auto before = test::gpt_disk(shape_of(512, 2000));
  for (const u64 sectors : {300U, 1970U, 1999U}) {
    CAPTURE(sectors);
    const auto move = plan(before, 512, sectors * 512);
    REQUIRE(move);
    const u64 begin = move->first.offset;
    const u64 length = move->first.bytes.size();
    for (u64 torn = 0; torn < length; torn += 512) {
      auto bytes = before;
      const auto at = static_cast<std::ptrdiff_t>(torn);
      std::copy_n(move->first.bytes.begin() + at, 512,
                  bytes.begin() + static_cast<std::ptrdiff_t>(begin) + at);
      const auto table = table_of(bytes);
      REQUIRE(table.gpt->primary);
      const auto present = [&] {
        return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                     bytes.begin() + static_cast<std::ptrdiff_t>(begin + length));
      };
      CHECK_FALSE(foreign_byte(*table.gpt, *move, present()));
      if (sectors != 300) continue;
      bytes[begin + 777] = std::byte{9};
      CHECK(foreign_byte(*table.gpt, *move, present()) == begin + 777);
    }
  }
}

TEST_CASE("what a move over its own backup leaves behind the new end is no one's, at every step") {
  const auto before = test::gpt_disk(shape_of(512, 2000));
  for (const u64 sectors : {1999U, 1980U, 1968U, 1967U}) {
    CAPTURE(sectors);
    const auto move = plan(before, 512, sectors * 512);
    REQUIRE(move);
    auto bytes = before;
    const auto check = [&] {
      auto behind = Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(sectors * 512), bytes.end());
      for (const ByteRange& range : backup_ranges(*table_of(bytes).gpt)) {
        for (u64 at = std::max<u64>(range.begin, sectors * 512); at < range.end; ++at) {
          behind.at(at - sectors * 512) = {};
        }
      }
      CHECK(std::ranges::count(behind, std::byte{}) == std::ssize(behind));
    };
    check();
    put(bytes, move->first);
    check();
    for (const TableWrite& write : move->then) {
      put(bytes, write);
      check();
    }
  }
}

TEST_CASE("a protective MBR that says all that 32 bits can say stays as it is") {
  auto bytes = test::gpt_disk(shape_of(512, 2000));
  test::put_little(bytes, 446 + 12, 0xFFFFFFFF, 4);
  CHECK_FALSE(plan(bytes, 512, bytes.size()));
  const auto larger = plan(bytes, 512, 3000 * 512);
  REQUIRE(larger);
  CHECK(larger->then.size() == 1);
}

TEST_CASE("the protective MBR is left alone when it is a hybrid one, and ends at 32 bits") {
  auto bytes = test::gpt_disk(shape_of(512, 2000));
  test::put_mbr(bytes, 0, {{.type = 0xEE, .first = 1, .count = 99}, {.first = 100, .count = 100}});
  const auto hybrid = plan(bytes, 512, 3000 * 512);
  REQUIRE(hybrid);
  CHECK(hybrid->then.size() == 1);
  bytes = test::gpt_disk(shape_of(512, 2000));
  const auto large = plan(bytes, 512, 4 * tib);
  REQUIRE(large);
  REQUIRE(large->then.size() == 2);
  CHECK(large->then[0].offset == 0);
  CHECK(test::get_little(large->then[0].bytes, 446 + 12, 4) == 0xFFFFFFFF);
}

TEST_CASE("fields that we do not know are kept") {
  auto bytes = test::gpt_disk(shape_of(512, 2000));
  for (const u64 header : {u64{1}, u64{1999}}) {
    test::put_little(bytes, header * 512 + 12, 200, 4);      // a longer header
    test::put_little(bytes, header * 512 + 150, 0x1234, 2);  // with something in it
    test::put_little(bytes, header * 512 + 300, 0x5678, 2);  // and behind it
    test::seal_gpt(bytes, header, 512);
  }
  const auto move = plan(bytes, 512, 3000 * 512);
  REQUIRE(move);
  const auto after = moved(bytes, *move, 3000 * 512);
  for (const u64 header : {u64{1}, u64{2999}}) {
    CHECK(test::get_little(after, header * 512 + 150, 2) == 0x1234);
    CHECK(test::get_little(after, header * 512 + 300, 2) == 0x5678);
  }
  CHECK(read_partition_table(disk_of(after, 512))->gpt->primary);
}
