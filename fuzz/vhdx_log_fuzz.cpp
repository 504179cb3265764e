// Fuzz target: a VHDX log of any entries is searched, replayed in memory, on disk, and on a disk
// whose machine loses power in between; all must agree, and the search with a naive one.
//
// Input: one byte for the crash, then entries of 12 bytes and what they write (read_entry below).
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

#include "base/bytes.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/replayed_file.h"
#include "formats/vhdx/vhdx.h"
#include "fuzz/byte_reader.h"
#include "fuzz/promise.h"
#include "io/overlay_file.h"
#include "support/crash_file.h"
#include "support/vhdx_builder.h"

namespace vdisk::fuzz {
namespace {

using test::VhdxLogEntry;
using test::VhdxLogWrite;

constexpr u64 page_size = 4096;
constexpr u64 ring_size = mib;
constexpr u64 ring_offset = mib;
constexpr u64 ring_sectors = ring_size / page_size;
constexpr std::size_t most_entries = 24;
constexpr std::size_t most_writes = 300;
constexpr u64 first_number = (u64{1} << 32) - 8;
constexpr std::string_view foreign_guid = "0f0f0f0f-0000-0000-0000-000000000001";
/// Header updates write these slots; everything else must be the same after any replay.
constexpr u64 first_compared = 192 * kib;
constexpr u64 compared_size = 12 * mib;

/// A small image with two blocks; its log is named in the header and empty.
const MemoryFile& base_image() {
  static const std::shared_ptr<MemoryFile> file = [] {
    test::VhdxBuilder builder;
    builder.add_block(0, 0x11);
    builder.add_block(5, 0x22);
    builder.log_guid = std::string(test::test_log_guid);
    return builder.build();
  }();
  return *file;
}

u64 base_size() {
  return base_image().size().value_or(0);
}

/// Mostly a page of a table; sometimes a place where no page may go.
u64 read_target(ByteReader& reader) {
  constexpr std::array<u64, 8> places{3 * mib, 2 * mib, 192 * kib, 256 * kib, 2 * mib + 64 * kib,
                                      4 * mib, 0,       mib};
  const u8 choice = reader.byte();
  if (choice >= 0xF0) return reader.number(8);
  const u64 pages = reader.number(2) % (64 * kib / page_size);
  return places[choice % places.size()] + pages * page_size;
}

VhdxLogWrite read_write(ByteReader& reader) {
  const u8 kind = reader.byte();
  VhdxLogWrite write{.file_offset = read_target(reader)};
  if (kind % 4 == 0) {
    write.zero_length = kind >= 0xF0 ? reader.number(8) : u64{1 + kind % 64u} * page_size;
    return write;
  }
  // The page as it is now with some bytes changed: tables stay plausible.
  write.page.resize(page_size);
  const bool readable = lies_within(write.file_offset, page_size, 0, base_size());
  if (readable) (void)base_image().read_at(write.file_offset, write.page);
  const std::size_t place = reader.number(2) % (page_size - 8);
  const auto bytes = reader.bytes(kind % 9);
  std::copy(bytes.begin(), bytes.end(), write.page.begin() + static_cast<std::ptrdiff_t>(place));
  return write;
}

u64 read_file_end(ByteReader& reader) {
  const u8 choice = reader.byte();
  if (choice >= 0xF8) return reader.number(8);
  return base_size() + (choice % 4) * mib;
}

/// 12 bytes: place, number, tail, flags, count of writes, ends of the file, then the writes, then
/// a change made after the CRC.
void place_entry(ByteReader& reader, File& file) {
  VhdxLogEntry entry;
  entry.offset = static_cast<u32>(reader.byte() * page_size);
  entry.sequence_number = first_number + reader.byte();
  const u8 tail = reader.byte();
  entry.tail = tail == 0xFF ? entry.offset : static_cast<u32>(tail * page_size);
  const u8 flags = reader.byte();
  if ((flags & 1) != 0) entry.guid = std::string(foreign_guid);
  if ((flags & 2) != 0) entry.sequence_number = reader.number(8);
  const std::size_t count = (flags & 4) != 0 ? reader.number(2) % most_writes : reader.byte() % 5;
  entry.flushed_file_offset = (flags & 8) != 0 ? read_file_end(reader) : base_size();
  entry.last_file_offset = read_file_end(reader);
  for (std::size_t n = 0; n < count; ++n) entry.writes.push_back(read_write(reader));
  std::vector<std::pair<u64, test::Bytes>> changes;
  if ((flags & 16) != 0) {
    const auto field = reader.bytes(4);
    changes.emplace_back(reader.byte() % 96, test::Bytes(field.begin(), field.end()));
  }
  test::Bytes bytes = log_entry_bytes(entry, changes);
  if ((flags & 32) != 0) bytes[reader.number(3) % bytes.size()] ^= std::byte{reader.byte()};
  for (u64 at = 0; at < std::min(bytes.size(), ring_size); at += page_size) {
    const auto sector = std::span(bytes).subspan(at, page_size);
    (void)file.write_at(ring_offset + (entry.offset + at) % ring_size, sector);
  }
}

/// The search as FORMATS 2.5.4 words it, start by start.
class NaiveSearch {
 public:
  explicit NaiveSearch(const File& file) : bytes_(ring_size), known_(ring_sectors) {
    (void)file.read_at(ring_offset, bytes_);
  }

  /// Number of the newest entry of the active sequence, and how many sequences end with it.
  struct Found {
    u64 newest = 0;
    std::size_t count = 0;
    std::vector<u64> offsets;
  };
  Found run() {
    Found best;
    u64 old = 0;
    for (u64 tail = 0;;) {
      const auto [offsets, head] = sequence_from(tail);
      const auto first = start_of(offsets);
      if (first) take(offsets, *first, best);
      tail = (first ? head : tail + page_size) % ring_size;
      if (tail <= old) return best;
      old = tail;
    }
  }

 private:
  struct Sequence {
    std::vector<u64> offsets;
    u64 head = 0;
  };

  const std::optional<vhdx::LogEntryHeader>& at(u64 offset) {
    auto& known = known_[offset / page_size];
    if (!known) known = parse(offset);
    return *known;
  }
  std::optional<vhdx::LogEntryHeader> parse(u64 offset) const {
    const auto header = vhdx::decode_log_entry_header(std::span(bytes_).subspan(offset));
    if (!header || header->entry_length > ring_size) return std::nullopt;
    std::vector<std::byte> entry(bytes_.begin() + static_cast<std::ptrdiff_t>(offset),
                                 bytes_.end());
    entry.insert(entry.end(), bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
    entry.resize(std::max<u64>(header->entry_length, page_size));
    return vhdx::parse_log_entry(entry, {*parse_guid(test::test_log_guid), ring_size});
  }
  Sequence sequence_from(u64 tail) {
    Sequence found{{}, tail};
    u64 used = 0;
    for (;;) {
      const auto& entry = at(found.head);
      if (!entry || (!found.offsets.empty() &&
                     entry->sequence_number != at(found.offsets.back())->sequence_number + 1)) {
        return found;
      }
      used += entry->entry_length;
      if (used > ring_size) return found;
      found.offsets.push_back(found.head);
      found.head = (found.head + entry->entry_length) % ring_size;
    }
  }
  /// The entry that the newest one's Tail names; empty when the sequence is not valid.
  std::optional<std::size_t> start_of(const std::vector<u64>& offsets) {
    if (offsets.empty()) return std::nullopt;
    const auto found = std::ranges::find(offsets, at(offsets.back())->tail);
    if (found == offsets.end()) return std::nullopt;
    return static_cast<std::size_t>(found - offsets.begin());
  }
  void take(const std::vector<u64>& offsets, std::size_t first, Found& best) {
    const u64 newest = at(offsets.back())->sequence_number;
    if (newest == best.newest) ++best.count;
    if (newest <= best.newest) return;
    best = {newest, 1, {offsets.begin() + static_cast<std::ptrdiff_t>(first), offsets.end()}};
  }

  std::vector<std::byte> bytes_;
  std::vector<std::optional<std::optional<vhdx::LogEntryHeader>>> known_;
};

void compare_searches(const File& file) {
  const auto headers = vhdx::read_headers(file);
  require_success(headers, "headers");
  const auto index = vhdx::index_log(file, headers->current);
  require_success(index, "index of the log");
  const auto chosen = vhdx::select_active_sequence(index->entries, ring_size);
  const auto expected = NaiveSearch(file).run();
  require(chosen.empty() == expected.offsets.empty(), "one search finds a sequence, one does not");
  if (chosen.empty()) return;
  require(chosen.back().sequence_number == expected.newest, "another newest entry");
  if (expected.count != 1) return;  // equal numbers: either will do
  require(std::ranges::equal(chosen, expected.offsets, {}, &vhdx::LogEntryPlace::offset),
          "another active sequence");
}

void require_same(const File& a, const File& b, u64 from, const char* what) {
  const u64 size = a.size().value_or(0);
  require(size == b.size().value_or(1), std::string("sizes differ: ") + what);
  std::vector<std::byte> left(64 * kib);
  std::vector<std::byte> right(left.size());
  for (u64 at = from; at < std::min(size, compared_size); at += left.size()) {
    const u64 length = std::min<u64>(left.size(), size - at);
    const auto read = a.read_at(at, std::span(left).first(length));
    const auto read_other = b.read_at(at, std::span(right).first(length));
    require(read.has_value() && read_other.has_value(), std::string("unreadable: ") + what);
    // Not std::ranges::equal: compared byte by byte it takes most of the time under sanitizers.
    const bool same = std::memcmp(left.data(), right.data(), length) == 0;
    require(same, std::string("contents differ: ") + what);
  }
}

std::shared_ptr<MemoryFile> after_power_loss(const MemoryFile& start, u64 call, u32 seed) {
  test::CrashFile machine(start);
  machine.crash_before(call, seed);
  (void)vhdx::recover(machine);
  machine.crash_now();
  return machine.remains();
}

/// The second replay needs no more than the first, whatever the first one left.
void lose_power(const MemoryFile& start, const MemoryFile& replayed, ByteReader& reader) {
  const auto remains = after_power_loss(start, reader.byte() % 64, reader.byte());
  const auto dirty = vhdx::needs_recovery(*remains);
  require_success(dirty, "headers after a crash");
  require_success(vhdx::recover(*remains), "replay after a crash");
  require_same(replayed, *remains, first_compared, "after a crash");
}

void replay(const std::shared_ptr<MemoryFile>& file, ByteReader& reader) {
  const auto disk = file->clone();
  const auto replayed = vhdx::recover(*disk);
  const auto overlay = OverlayFile::create(file);
  require(vhdx::recover(**overlay).has_value() == replayed.has_value(),
          "replay in memory and on disk end differently");
  if (!replayed) return require_same(*file, *disk, 0, "after a refused replay");
  const auto dirty = vhdx::needs_recovery(*disk);
  require(dirty.has_value() && !*dirty, "the log is dirty after its replay");
  require_same(*disk, **overlay, first_compared, "in memory and on disk");
  const auto plan = vhdx::plan_recovery(*file);
  require_success(plan, "plan of a replay that succeeds");
  const auto view =
      vhdx::ReplayedFile::build(*file, plan->headers.current, plan->sequence, plan->final_size);
  require_success(view, "view of the log");
  require_same(*disk, **view, first_compared, "view and disk");
  lose_power(*file, *disk, reader);
}

void run(std::span<const std::byte> input) {
  ByteReader reader(input);
  ByteReader crash(reader.bytes(2));
  const auto file = base_image().clone();
  for (std::size_t n = 0; n < most_entries && !reader.at_end(); ++n) place_entry(reader, *file);
  compare_searches(*file);
  replay(file, crash);
}

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  vdisk::fuzz::run(std::as_bytes(std::span(data, size)));
  return 0;
}
