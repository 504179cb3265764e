// The ring of the log: room, tail, wrap; and long flushes that need several entries.
#include "formats/vhdx/log_writer.h"

#include "formats/vhdx/image_fixture.h"
#include "formats/vhdx/log_entry.h"
#include "formats/vhdx/replay.h"
#include "support/counting_file.h"
#include "support/crash_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

constexpr u64 log_offset = mib;
const Guid log_id{{7, 7, 7}};

std::vector<DirtyPage> pages(u64 count) {
  std::vector<DirtyPage> out;
  for (u64 n = 0; n < count; ++n) {
    out.push_back({3 * mib + n * 4096, std::vector<std::byte>(4096, std::byte{1}), 1});
  }
  return out;
}

struct Ring {
  MemoryFile file;
  LogWriter log{LogArea{log_offset, mib, log_id}};

  Ring() { must(file.resize(8 * mib)); }
  void append(u64 count) {
    REQUIRE(log.has_room(count));
    must(log.append(file, pages(count), {4 * mib, 8 * mib}));
  }
  [[nodiscard]] std::optional<LogEntryHeader> entry_at(u64 sector) const {
    std::vector<std::byte> bytes(mib - sector * 4096);
    must(file.read_at(log_offset + sector * 4096, bytes));
    return parse_log_entry(bytes, {log_id, static_cast<u32>(mib)});
  }
};

}  // namespace

TEST_CASE("the tail of an entry is the oldest one that is not settled") {
  Ring ring;
  ring.append(1);  // sectors 0, 1
  ring.log.synced();
  ring.log.applied();
  ring.append(1);  // 2, 3: the first one is not flushed in place yet
  ring.log.synced();
  ring.log.applied();
  ring.append(1);  // 4, 5: the flush before covered the first one
  CHECK(ring.entry_at(0)->tail == 0);
  CHECK(ring.entry_at(2)->tail == 0);
  CHECK(ring.entry_at(4)->tail == 2 * 4096);
  CHECK(ring.entry_at(4)->sequence_number == ring.entry_at(0)->sequence_number + 2);
  CHECK(ring.entry_at(4)->flushed_file_offset == 4 * mib);
  CHECK(ring.entry_at(4)->last_file_offset == 8 * mib);
}

TEST_CASE("an entry that was not applied stays in the sequence") {
  Ring ring;
  ring.append(1);
  ring.log.synced();
  ring.append(1);
  ring.log.synced();
  ring.append(1);
  CHECK(ring.entry_at(4)->tail == 0);
}

TEST_CASE("what the newest durable entry needs is never overwritten") {
  Ring ring;
  CHECK(ring.log.max_pages() == 251);  // 256 sectors: two free or empty ones, and descriptors
  ring.append(251);                    // 253 sectors
  CHECK_FALSE(ring.log.has_room(1));
  ring.log.synced();
  ring.log.applied();
  ring.log.synced();
  // Settled, but after a crash it would still be the newest entry, with itself as tail.
  CHECK_FALSE(ring.log.has_room(1));
  must(ring.log.append(ring.file, {}, {}));
  CHECK_FALSE(ring.log.has_room(1));
  ring.log.synced();
  CHECK(ring.log.has_room(251));
  CHECK(ring.entry_at(253)->tail == 253 * 4096);
}

TEST_CASE("entries wrap around the end of the ring") {
  Ring ring;
  for (int round = 0; round < 200; ++round) {
    ring.append(2);  // 3 sectors; 256 is no multiple of it
    ring.log.synced();
    ring.log.applied();
  }
  // The 86th entry begins in the last sector: 255 = 85 * 3.
  Ring wrapped;
  for (int round = 0; round < 86; ++round) {
    wrapped.append(2);
    wrapped.log.synced();
    wrapped.log.applied();
  }
  std::vector<std::byte> entry(3 * 4096);
  must(wrapped.file.read_at(log_offset + 255 * 4096, std::span(entry).first(4096)));
  must(wrapped.file.read_at(log_offset, std::span(entry).subspan(4096)));
  const auto header = parse_log_entry(entry, {log_id, static_cast<u32>(mib)});
  REQUIRE(header.has_value());
  CHECK(header->tail == 252 * 4096);
}

TEST_CASE("a flush of more pages than the log holds is split, and durable at once") {
  // One block in each of 300 BAT pages: 512 entries, less one bitmap slot now and then.
  const Shape shape{.size = tib / 2};
  const auto memory = make_image(shape);
  const auto file = std::make_shared<vdisk::test::CountingFile>(memory);
  const auto image = open(file);
  for (u64 n = 0; n < 300; ++n) must(guest_write(*image, n * 512 * mib, pattern(512, 1)));
  file->reset();
  must(image->flush());
  CHECK(file->counts().flushes <= 6);
  must(image->flush());
  must(image->close());
  require_clean(*memory);
  CHECK(must(open(memory, Access::read_only)->count_blocks()).allocated == 300);
}

TEST_CASE("200 dirty pages at once, several times: a power loss at any call keeps the flushed") {
  const Shape shape{.type = ImageType::differencing, .size = 256 * gib};
  const auto start = make_image(shape);
  constexpr u64 blocks = 200;
  const auto offset_of = [](u64 n) { return n * 1022 * mib + 4096; };
  const auto write_round = [&](Image& image, u32 round) {
    for (u64 n = 0; n < blocks; ++n) {
      must(guest_write(image, offset_of(n) + round * 512, pattern(512, round + 1)));
    }
  };
  for (u64 call = 0; call < 40; call += 5) {
    INFO("call " << call << " of the flushes");
    const auto file = std::make_shared<vdisk::test::CrashFile>(*start);
    const auto image = open(file);
    u32 durable_rounds = 0;
    write_round(*image, 0);
    must(image->flush());
    durable_rounds = 1;
    write_round(*image, 1);
    file->crash_before(call, static_cast<u32>(call));
    must(image->flush());
    if (!file->crashed()) durable_rounds = 2;
    if (!file->crashed()) write_round(*image, 2);
    must(image->flush());
    if (!file->crashed()) durable_rounds = 3;
    file->crash_now();
    const auto left = file->remains();
    if (must(format.needs_recovery(*left))) must(format.recover(*left));
    const auto again = open(left, Access::read_only);
    for (u64 n = 0; n < blocks; n += 7) {
      for (u32 round = 0; round < durable_rounds; ++round) {
        REQUIRE(guest_read(*again, offset_of(n) + round * 512, 512) == pattern(512, round + 1));
      }
    }
    if (call % 10 == 0) require_clean(*left);
  }
}
