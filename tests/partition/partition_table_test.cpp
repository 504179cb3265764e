/// Which partitions are seen on a disk, and that no content of one does harm.
#include "partition/partition_table.h"

#include <cstdlib>
#include <random>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/checksum.h"
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
  return *std::move(table);
}

const GptShape two_parts{.parts = {{100, 199, "boot"}, {300, 1023, "data"}}};

}  // namespace

TEST_CASE("CRC-32: the check value of the standard, and the definition") {
  const std::string digits = "123456789";
  CHECK(crc32(as_bytes(digits)) == 0xCBF43926);
  CHECK(crc32({}) == 0);
  const Bytes bytes(1000, std::byte{0xA5});
  CHECK(crc32(bytes) == test::plain_crc32(bytes));
}

TEST_CASE("GPT: number, name and place of the partitions, in sectors of 512 and 4096 bytes") {
  for (const u32 sector_size : {512U, 4096U}) {
    for (const u32 asked_with : {512U, 4096U}) {
      CAPTURE(sector_size);
      CAPTURE(asked_with);
      GptShape shape = two_parts;
      shape.sector_size = sector_size;
      const auto bytes = test::gpt_disk(shape);
      const auto table = table_of(bytes, asked_with);
      REQUIRE(table.scheme == Scheme::gpt);
      REQUIRE(table.partitions.size() == 2);
      CHECK(table.partitions[0].number == 1);
      CHECK(table.partitions[0].name == "boot");
      CHECK(table.partitions[0].begin == 100 * sector_size);
      CHECK(table.partitions[0].end == 200 * sector_size);
      CHECK(table.last()->number == 2);
      CHECK(table.last()->end == 1024 * sector_size);
      CHECK(table.gpt->sector_size == sector_size);
      CHECK(table.gpt->primary);
      CHECK(table.gpt->backups.size() == 1);
      CHECK(table.gpt->backup_bytes() == 16 * kib + sector_size);
      CHECK(table.smallest_size() == 1024 * sector_size + 16 * kib + sector_size);
    }
  }
}

TEST_CASE("GPT: each copy is enough alone; without both the disk says that its table is damaged") {
  const auto sound = test::gpt_disk(two_parts);
  const u64 backup = (two_parts.sectors - 1) * 512;
  for (const u64 place : {u64{512}, u64{512 + 16}, u64{1024 + 40}}) {  // header, CRC, entries
    auto bytes = sound;
    bytes[place] ^= std::byte{1};
    const auto table = table_of(bytes);
    REQUIRE(table.scheme == Scheme::gpt);
    CHECK_FALSE(table.gpt->primary);
    CHECK(table.partitions.size() == 2);
    bytes[backup] ^= std::byte{1};
    CHECK(table_of(bytes).scheme == Scheme::none);
    CHECK(table_of(bytes).damaged);
    CHECK_FALSE(table_of(bytes).smallest_size());
  }
  auto bytes = sound;
  bytes[backup] ^= std::byte{1};
  CHECK(table_of(bytes).gpt->primary);
  CHECK(table_of(bytes).gpt->backups.empty());
}

TEST_CASE("GPT: a backup that was left behind by a smaller disk is found where the primary says") {
  auto bytes = test::gpt_disk(two_parts);
  bytes.resize(bytes.size() + mib);
  const auto table = table_of(bytes);
  REQUIRE(table.gpt);
  REQUIRE(table.gpt->backups.size() == 1);
  CHECK(table.gpt->backups[0].header_offset == (two_parts.sectors - 1) * 512);
}

TEST_CASE("GPT: headers that must not be believed") {
  struct Edit {
    const char* what;
    u64 field;
    u64 value;
    std::size_t size;
  };
  const Edit edits[] = {{"signature", 0, 0, 8},
                        {"revision 2", 8, 0x00020000, 4},
                        {"size 91", 12, 91, 4},
                        {"size of more than a sector", 12, 513, 4},
                        {"size of 4 GiB", 12, ~0U, 4},
                        {"other place", 24, 2, 8},
                        {"entries at 2^55", 72, u64{1} << 55, 8},
                        {"entries at 2^63", 72, u64{1} << 63, 8},
                        {"entries behind the end", 72, 2040, 8},
                        {"entries over the MBR", 72, 0, 8},
                        {"no entry", 80, 0, 4},
                        {"2^32 - 1 entries", 80, ~0U, 4},
                        {"entries of 64 bytes", 84, 64, 4},
                        {"entries of 384 bytes", 84, 384, 4},
                        {"entries of 2 GiB", 84, 0x80000000, 4},
                        {"entries where the partitions are", 72, 100, 8},
                        {"usable range reversed", 40, 5000, 8},
                        {"usable to 2^63", 48, u64{1} << 63, 8}};
  for (const Edit& edit : edits) {
    CAPTURE(edit.what);
    auto bytes = test::gpt_disk(two_parts);
    test::put_little(bytes, 512 + edit.field, edit.value, edit.size);
    test::seal_gpt(bytes, 1, 512);
    const auto table = table_of(bytes);
    REQUIRE(table.scheme == Scheme::gpt);
    CHECK_FALSE(table.gpt->primary);
  }
}

TEST_CASE("GPT: the size that holds the partitions and the table, in whole sectors") {
  auto shape = two_parts;
  shape.sector_size = 4096;
  const auto table = table_of(test::gpt_disk(shape), 512);
  const u64 needed = 1024 * 4096 + 16 * kib + 4096;
  CHECK(table.fits(needed));
  CHECK(table.fits(needed + 512));
  CHECK_FALSE(table.fits(needed - 1));
  CHECK_FALSE(table.fits(needed - 512));
  shape.parts.clear();
  const auto empty = table_of(test::gpt_disk(shape), 4096);
  CHECK_FALSE(empty.smallest_size());
  CHECK(empty.fits((6 + 1 + 5) * 4096));
  CHECK_FALSE(empty.fits((6 + 1 + 5) * 4096 - 1));
}

TEST_CASE("GPT: a backup that shares the entries of the primary is none") {
  auto bytes = test::gpt_disk(two_parts);
  const u64 backup = two_parts.sectors - 1;
  test::put_little(bytes, backup * 512 + 72, 2, 8);
  test::seal_gpt(bytes, backup, 512);
  CHECK(table_of(bytes).gpt->backups.empty());
}

TEST_CASE("GPT: entries that cannot be make a copy unusable") {
  struct Range {
    u64 first;
    u64 last;
  };
  for (const auto& [first, last] :
       {Range{200, 100}, Range{100, ~u64{0}}, Range{u64{1} << 60, u64{1} << 61},
        Range{u64{1} << 55, u64{1} << 55}}) {
    CAPTURE(first);
    auto bytes = test::gpt_disk(two_parts);
    test::put_little(bytes, 1024 + 32, first, 8);
    test::put_little(bytes, 1024 + 40, last, 8);
    test::seal_gpt(bytes, 1, 512);
    CHECK_FALSE(table_of(bytes).gpt->primary);
  }
}

TEST_CASE("GPT: without a protective MBR it is a leftover, unless there is no MBR at all") {
  auto bytes = test::gpt_disk(two_parts);
  test::put_mbr(bytes, 0, {{.type = 0x83, .first = 1, .count = 100}});
  CHECK(table_of(bytes).scheme == Scheme::mbr);
  CHECK(table_of(bytes).last()->end == 101 * 512);
  std::fill_n(bytes.begin(), 512, std::byte{});
  CHECK(table_of(bytes).scheme == Scheme::gpt);
}

TEST_CASE("GPT: a backup of another disk is not this one's") {
  auto bytes = test::gpt_disk(two_parts);
  const u64 backup = two_parts.sectors - 1;
  test::put_little(bytes, backup * 512 + 56, 1, 1);
  test::seal_gpt(bytes, backup, 512);
  CHECK(table_of(bytes).gpt->backups.empty());
}

TEST_CASE("MBR: primary and logical partitions") {
  Bytes bytes(2 * mib);
  test::put_mbr(bytes, 0,
                {{.type = 0x07, .first = 8, .count = 100, .status = 0x80},
                 {.type = 0x0F, .first = 1000, .count = 2000}});
  test::put_mbr(bytes, 1000 * 512,
                {{.first = 10, .count = 90}, {.type = 0x05, .first = 200, .count = 300}});
  test::put_mbr(bytes, 1200 * 512, {{.first = 10, .count = 290}});
  const auto table = table_of(bytes);
  REQUIRE(table.scheme == Scheme::mbr);
  REQUIRE(table.partitions.size() == 4);
  CHECK(table.partitions[0].number == 1);
  CHECK(table.partitions[0].name == "type 0x07");
  CHECK(table.partitions[0].end == 108 * 512);
  CHECK(table.partitions[1].name == "extended");
  CHECK(table.partitions[2].number == 5);
  CHECK(table.partitions[2].begin == 1010 * 512);
  CHECK(table.partitions[3].number == 6);
  CHECK(table.partitions[3].end == 1500 * 512);
  CHECK(table.smallest_size() == 3000 * 512);
}

TEST_CASE("MBR: sectors of 4096 bytes count as such") {
  Bytes bytes(8 * mib);
  test::put_mbr(bytes, 0, {{.first = 8, .count = 100}});
  CHECK(table_of(bytes, 4096).last()->end == 108 * 4096);
}

TEST_CASE("MBR: chains of extended records that turn back or lead out come to an end") {
  for (const u32 next : {0U, 1U, 1500U, 100000U, 0xFFFFFFFFU}) {
    CAPTURE(next);
    Bytes bytes(2 * mib);
    test::put_mbr(bytes, 0, {{.type = 0x05, .first = 1000, .count = 2000}});
    test::put_mbr(bytes, 1000 * 512,
                  {{.first = 10, .count = 5}, {.type = 0x05, .first = 1, .count = 5}});
    test::put_mbr(bytes, 1001 * 512,
                  {{.first = 10, .count = 5}, {.type = 0x05, .first = next, .count = 5}});
    CHECK(table_of(bytes).partitions.size() == 3);
  }
  Bytes bytes(2 * mib);
  test::put_mbr(bytes, 0, {{.type = 0x05, .first = 1000, .count = 2000}});
  for (u32 n = 0; n < 1000; ++n) {
    test::put_mbr(bytes, (1000 + n) * 512,
                  {{.first = 1, .count = 1}, {.type = 0x05, .first = n + 1, .count = 1}});
  }
  CHECK(table_of(bytes).partitions.size() == 1 + 128);
}

TEST_CASE("what is no partition table is none") {
  Bytes bytes(mib);
  CHECK(table_of(bytes).scheme == Scheme::none);
  CHECK_FALSE(table_of(bytes).damaged);
  test::put_little(bytes, 510, 0xAA55, 2);  // the boot sector of a file system, or an empty table
  CHECK(table_of(bytes).scheme == Scheme::none);
  test::put_mbr(bytes, 0, {{.type = 0x83, .first = 1, .count = 1, .status = 0x41}});
  CHECK(table_of(bytes).scheme == Scheme::none);
  for (const std::size_t size : {0U, 1U, 511U, 512U, 1024U, 2047U}) {
    Bytes tiny(size, std::byte{0xFF});
    CHECK(table_of(tiny).scheme == Scheme::none);
  }
}

TEST_CASE("no content of a disk does harm: random edits of sound tables") {
  const u32 seed = std::getenv("VDISK_SEED")
                       ? static_cast<u32>(std::atoi(std::getenv("VDISK_SEED")))
                       : std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto mbr = Bytes(mib);
  test::put_mbr(mbr, 0, {{.type = 0x05, .first = 1, .count = 2000}});
  test::put_mbr(mbr, 512, {{.first = 1, .count = 1}, {.type = 0x05, .first = 5, .count = 9}});
  test::put_mbr(mbr, 512 * 6, {{.first = 1, .count = 1}});
  const Bytes disks[] = {test::gpt_disk(two_parts), mbr};
  for (int round = 0; round < 1000; ++round) {
    auto bytes = disks[round % 2];
    for (auto n = random() % 6; n-- > 0;) {
      const u64 place = round % 2 == 0 ? 446 + random() % 800 : random() % (7 * 512);
      bytes[place] = static_cast<std::byte>(random());
    }
    if (random() % 2 == 0) test::seal_gpt(bytes, 1, 512);
    if (random() % 8 == 0) bytes.resize(random() % bytes.size());
    const auto table = table_of(bytes);
    for (const Partition& partition : table.partitions) CHECK(partition.begin <= partition.end);
    if (table.gpt) CHECK(table.gpt->backup_bytes() <= 5 * mib);
  }
}
