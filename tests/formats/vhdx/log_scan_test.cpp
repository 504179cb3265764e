// Finding entries and the active sequence (FORMATS 2.5.3, 2.5.4), and HOSTILE VHDX-71 to VHDX-85.
#include "formats/vhdx/log_scan.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

Header header_of(const VhdxBuilder& builder) {
  return {.sequence_number = 8,
          .log_guid = *parse_guid(test_log_guid),
          .log_length = static_cast<u32>(builder.log_length),
          .log_offset = mib};
}
/// An image whose log holds these entries.
VhdxBuilder with_log(std::vector<VhdxLogEntry> entries) {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  builder.log = std::move(entries);
  return builder;
}
/// Offsets of the active sequence, from tail to newest.
std::vector<u32> active(const VhdxBuilder& builder) {
  const auto sequence = find_active_sequence(*builder.build(), header_of(builder));
  std::vector<u32> offsets;
  if (!sequence) return offsets;
  for (const LogEntryPlace& entry : sequence->entries) offsets.push_back(entry.offset);
  return offsets;
}
using Offsets = std::vector<u32>;

std::vector<VhdxLogWrite> pages(std::size_t count, u64 target = 3 * mib) {
  std::vector<VhdxLogWrite> writes;
  for (std::size_t index = 0; index < count; ++index) {
    writes.push_back({.file_offset = target + 4096 * index, .page = filled(4096, 0x5A)});
  }
  return writes;
}

/// The offset of the active entry when one good entry at 0 is followed at 0x1000 by these bytes.
Offsets active_behind(const Bytes& second) {
  VhdxBuilder builder = with_log({{.sequence_number = 5}});
  builder.contents[mib + 0x1000] = second;
  return active(builder);
}

}  // namespace

TEST_CASE("the sequence of a real Windows log: five entries, of which the Tail names two") {
  const auto builder = with_log({
      {.sequence_number = 100, .offset = 0, .tail = 0},
      {.sequence_number = 101, .offset = 0x1000, .tail = 0x1000, .writes = pages(1)},
      {.sequence_number = 102, .offset = 0x3000, .tail = 0x1000, .writes = pages(1)},
      {.sequence_number = 103, .offset = 0x5000, .tail = 0x1000, .writes = pages(1)},
      {.sequence_number = 104, .offset = 0x7000, .tail = 0x5000, .writes = pages(1)},
  });
  CHECK(active(builder) == Offsets{0x5000, 0x7000});
}

TEST_CASE("quirk 29: a sequence of one empty entry is active") {
  CHECK(active(with_log({{.sequence_number = 1}})) == Offsets{0});
}

TEST_CASE("a log that its LogGuid never reached has an empty sequence") {
  for (const auto& foreign :
       {Bytes{}, filled(8192, 0xA5), log_entry_bytes({.guid = std::string(zero_guid)})}) {
    VhdxBuilder builder = with_log({});
    if (!foreign.empty()) builder.contents[mib + 0x1000] = foreign;
    const auto sequence = find_active_sequence(*builder.build(), header_of(builder));
    REQUIRE(sequence.has_value());
    CHECK(sequence->entries.empty());
  }
}

TEST_CASE("X11: a log that was reached has an active sequence, or is corrupt") {
  VhdxBuilder builder = with_log({});
  Bytes torn = log_entry_bytes({.writes = pages(1)});
  torn.back() ^= std::byte{1};
  builder.contents[mib + 0x1000] = torn;
  CHECK(refusal_of(find_active_sequence(*builder.build(), header_of(builder))) ==
        Refusal{"X11", ErrorKind::corrupt});
}

TEST_CASE("an entry that wraps around the end of the ring") {
  CHECK(active(with_log({{.offset = 0xFF000, .tail = 0xFF000, .writes = pages(2)}})) ==
        Offsets{0xFF000});
  CHECK(active(with_log({
            {.sequence_number = 7, .offset = 0xFD000, .tail = 0xFD000, .writes = pages(1)},
            {.sequence_number = 8, .offset = 0xFF000, .tail = 0xFD000, .writes = pages(3)},
            {.sequence_number = 9, .offset = 0x3000, .tail = 0xFF000, .writes = pages(1)},
        })) == Offsets{0xFF000, 0x3000});
}

TEST_CASE("a torn entry ends the sequence before it") {
  Bytes torn = log_entry_bytes({.sequence_number = 6, .tail = 0, .writes = pages(2)});
  std::fill(torn.begin() + 4096 + 512, torn.end(), std::byte{0});
  CHECK(active_behind(torn) == Offsets{0});
  CHECK(active_behind(log_entry_bytes({.sequence_number = 6, .tail = 0x1000})) == Offsets{0x1000});
}

TEST_CASE("quirk 31: entries of another LogGuid and garbage are ignored") {
  CHECK(active_behind(log_entry_bytes(
            {.sequence_number = 6000, .tail = 0x1000, .guid = std::string(zero_guid)})) ==
        Offsets{0});
  CHECK(active_behind(filled(900 * kib, 0xA5)) == Offsets{0});
}

TEST_CASE("the sequence with the greatest last number wins, wherever it is") {
  CHECK(active(with_log({{.sequence_number = 50, .offset = 0x4000, .tail = 0x4000},
                         {.sequence_number = 9, .offset = 0x9000, .tail = 0x9000}})) ==
        Offsets{0x4000});
  CHECK(active(with_log({{.sequence_number = 9, .offset = 0x4000, .tail = 0x4000},
                         {.sequence_number = 50, .offset = 0x9000, .tail = 0x9000}})) ==
        Offsets{0x9000});
}

TEST_CASE("a gap in the numbers begins a new sequence") {
  CHECK(active(with_log({{.sequence_number = 5, .offset = 0, .tail = 0},
                         {.sequence_number = 7, .offset = 0x1000, .tail = 0x1000}})) ==
        Offsets{0x1000});
  CHECK(active(with_log({{.sequence_number = 5, .offset = 0, .tail = 0},
                         {.sequence_number = 7, .offset = 0x1000, .tail = 0}})) == Offsets{0});
}

TEST_CASE("a Tail that is no entry of the sequence makes the whole sequence invalid") {
  CHECK(active(with_log({{.sequence_number = 5, .offset = 0, .tail = 0x8000}})).empty());
  CHECK(active(with_log({{.sequence_number = 5, .offset = 0, .tail = 0},
                         {.sequence_number = 6, .offset = 0x1000, .tail = 0x8000}}))
            .empty());
}

TEST_CASE("an entry with any bad field is no entry") {
  const VhdxLogEntry good{.sequence_number = 6, .tail = 0x1000, .writes = pages(2)};
  REQUIRE(active_behind(log_entry_bytes(good)) == Offsets{0x1000});
  const std::vector<std::pair<u64, Bytes>> changes{
      {0, wide("lo")},              // signature
      {8, little(0, 4)},            // EntryLength
      {8, little(100, 4)},          //
      {8, little(8192, 4)},         //   too short for its descriptors
      {8, little(16384, 4)},        //   longer than them
      {8, little(2 * mib, 4)},      //   longer than the log
      {8, little(0xFFFFF000, 4)},   //
      {12, little(0x1200, 4)},      // Tail
      {12, little(mib, 4)},         //
      {16, little(0, 8)},           // SequenceNumber
      {16, little(7, 8)},           //   not the one of the descriptors
      {24, little(0xFFFFFFFF, 4)},  // DescriptorCount
      {24, little(1000, 4)},        //
      {24, little(1, 4)},           //
      {64, wide("xx")},             // signature of a descriptor
      {64 + 24, little(7, 8)},      // sequence number of a descriptor
      {4096, wide("xx")},           // signature of a data sector
      {4096 + 4, little(1, 4)},     // SequenceHigh
      {4096 + 4092, little(1, 4)},  // SequenceLow
      {32, guid_bytes(bat_guid)},   // LogGuid
  };
  for (const auto& change : changes) {
    CAPTURE(change.first);
    CHECK(active_behind(log_entry_bytes(good, {change})) == Offsets{0});
  }
  Bytes bad_checksum = log_entry_bytes(good);
  bad_checksum[5] ^= std::byte{1};
  CHECK(active_behind(bad_checksum) == Offsets{0});
}

TEST_CASE("130 descriptors need a second descriptor sector") {
  const auto builder = with_log({{.sequence_number = 3, .writes = pages(130)}});
  CHECK(active(builder) == Offsets{0});
  const auto index = index_log(*builder.build(), header_of(builder));
  CHECK(index->entries.at(0).length == 132 * 4096);
}

TEST_CASE("an entry may be as long as the ring") {
  CHECK(active(with_log({{.sequence_number = 3, .writes = pages(253)}})) == Offsets{0});
}

TEST_CASE("a ring full of one sequence ends the search") {
  std::vector<VhdxLogEntry> entries;
  for (u32 index = 0; index < 256; ++index) {
    entries.push_back({.sequence_number = 10 + index,
                       .offset = index * 4096,
                       .tail = index < 255 ? index * 4096 : 0});
  }
  CHECK(active(with_log(entries)).size() == 256);
}

TEST_CASE("the log is read once, whatever its headers claim") {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  builder.log_length = 16 * mib;
  // Every sector begins an entry that claims the whole ring.
  const Bytes claim = log_entry_bytes({.sequence_number = 3}, {{8, little(16 * mib, 4)}});
  for (u64 place = 0; place < 16 * mib; place += 4096) builder.contents[mib + place] = claim;
  const auto counting = std::make_shared<CountingFile>(builder.build());
  const auto index = index_log(*counting, header_of(builder));
  REQUIRE(index.has_value());
  CHECK(index->entries.empty());
  CHECK(index->touched);
  CHECK(counting->counts().read_bytes <= 17 * mib);
}

TEST_CASE("the holes of a large log are not read") {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  builder.log_length = gib;
  builder.log = {{.sequence_number = 3, .offset = 500 * mib, .tail = 500 * mib}};
  const auto counting = std::make_shared<CountingFile>(builder.build());
  CHECK(index_log(*counting, header_of(builder))->entries.size() == 1);
  CHECK(counting->counts().read_bytes < 2 * mib);
}
