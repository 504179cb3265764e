#include "formats/vhdx/log_scan.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 chunk_size = 256 * kib;
using Step = LogEntryParser::Step;

/// One pass over the ring. `position` runs on past the end of the log only while an entry that
/// began before it is still open.
class LogScanner {
 public:
  LogScanner(const File& file, const Header& header)
      : file_(file), header_(header), ring_{header.log_guid, header.log_length} {}

  Result<LogIndex> run() {
    std::vector<std::byte> chunk(chunk_size);
    while (position_ < header_.log_length || open_) {
      VDISK_TRY(skip_hole());
      if (position_ >= header_.log_length && !open_) break;
      const u64 in_ring = position_ % header_.log_length;
      const auto part = std::span(chunk).first(std::min(chunk_size, header_.log_length - in_ring));
      VDISK_TRY(read_log(file_, header_, in_ring, part));
      feed(part);
    }
    return std::move(index_);
  }

 private:
  /// Holes hold no entries; a sparse log costs what is in it.
  Status skip_hole() {
    if (open_ || position_ >= header_.log_length) return {};
    const u64 here = header_.log_offset + position_;
    VDISK_ASSIGN(const Hole hole, file_.next_hole(here));
    if (hole.length == 0 || hole.offset > here) return {};
    const u64 end = std::min(hole.offset + hole.length, header_.log_offset + header_.log_length);
    if (end > here) position_ += round_down(end - here, log_sector_size);
    return {};
  }

  void feed(std::span<const std::byte> chunk) {
    for (u64 place = 0; place < chunk.size(); place += log_sector_size) {
      if (position_ >= header_.log_length && !open_) return;
      feed_sector(chunk.subspan(place, log_sector_size));
      position_ += log_sector_size;
    }
  }

  void feed_sector(std::span<const std::byte> sector) {
    if (open_) {
      settle(parser_.next(sector));
      if (open_ || position_ != end_) return;  // taken, or an entry may begin here
    }
    if (position_ >= header_.log_length) return;
    start_ = position_;
    end_ = start_;
    open_ = true;
    const auto header = decode_log_entry_header(sector);
    index_.touched = index_.touched || (header && header->log_guid == ring_.log_guid);
    settle(parser_.begin(ring_, sector));
  }

  void settle(Step step) {
    open_ = step == Step::more;
    end_ = step == Step::complete ? position_ + log_sector_size : position_;
    if (step != Step::complete) return;
    const LogEntryHeader& found = parser_.header();
    index_.entries.push_back({.offset = static_cast<u32>(start_),
                              .length = found.entry_length,
                              .tail = found.tail,
                              .sequence_number = found.sequence_number});
  }

  const File& file_;
  const Header& header_;
  const LogRing ring_;
  LogEntryParser parser_;
  LogIndex index_;
  u64 position_ = 0;
  u64 start_ = 0;  ///< of the open entry
  u64 end_ = 0;    ///< first position that the entry settled last does not own
  bool open_ = false;
};

/// For each entry the last one of the run that begins with it. Runs are linked by position and
/// number, so that every entry has one successor at most; each is visited once, newest first.
class Runs {
 public:
  Runs(std::span<const LogEntryPlace> entries, u32 log_length)
      : entries_(entries), log_length_(log_length), last_(entries.size()), length_(entries.size()) {
    std::vector<std::size_t> order(entries.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, std::ranges::greater{},
                      [entries](std::size_t index) { return entries[index].sequence_number; });
    for (const std::size_t index : order) link(index);
  }

  [[nodiscard]] std::optional<std::size_t> at(u64 offset) const {
    const auto found = std::ranges::lower_bound(entries_, offset, {}, &LogEntryPlace::offset);
    if (found == entries_.end() || found->offset != offset) return std::nullopt;
    return static_cast<std::size_t>(found - entries_.begin());
  }
  [[nodiscard]] std::optional<std::size_t> successor(std::size_t index) const {
    const LogEntryPlace& entry = entries_[index];
    const auto next = at((u64{entry.offset} + entry.length) % log_length_);
    if (!next || entries_[*next].sequence_number != entry.sequence_number + 1) return std::nullopt;
    return next;
  }
  /// Whether the entry ends a run and its Tail names an entry of that run.
  [[nodiscard]] std::optional<std::size_t> tail_of(std::size_t newest) const {
    const auto tail = at(entries_[newest].tail);
    if (last_[newest] != newest || !tail || last_[*tail] != newest ||
        length_[*tail] > log_length_) {
      return std::nullopt;
    }
    return tail;
  }

 private:
  void link(std::size_t index) {
    const auto next = successor(index);
    last_[index] = next ? last_[*next] : index;
    length_[index] = entries_[index].length + (next ? length_[*next] : 0);
  }

  std::span<const LogEntryPlace> entries_;
  u32 log_length_;
  std::vector<std::size_t> last_;
  std::vector<u64> length_;
};

}  // namespace

Status read_log(const File& file, const Header& header, u64 offset, std::span<std::byte> out) {
  const u64 place = offset % header.log_length;
  const u64 first = std::min<u64>(out.size(), header.log_length - place);
  VDISK_TRY(file.read_at(header.log_offset + place, out.first(first)));
  if (first == out.size()) return {};
  return file.read_at(header.log_offset, out.subspan(first));
}

Result<LogIndex> index_log(const File& file, const Header& header) {
  if (header.log_length == 0) return LogIndex{};
  return LogScanner(file, header).run();
}

std::vector<LogEntryPlace> select_active_sequence(std::span<const LogEntryPlace> entries,
                                                  u32 log_length) {
  const Runs runs(entries, log_length);
  std::optional<std::size_t> tail;
  u64 newest_number = 0;
  for (std::size_t index = 0; index < entries.size(); ++index) {
    const auto candidate = runs.tail_of(index);
    if (!candidate || entries[index].sequence_number <= newest_number) continue;
    newest_number = entries[index].sequence_number;
    tail = candidate;
  }
  std::vector<LogEntryPlace> sequence;
  for (auto index = tail; index; index = runs.successor(*index))
    sequence.push_back(entries[*index]);
  return sequence;
}

Result<ActiveSequence> find_active_sequence(const File& file, const Header& header) {
  VDISK_ASSIGN(const LogIndex index, index_log(file, header));
  if (!index.touched) return ActiveSequence{};
  ActiveSequence sequence{.entries = select_active_sequence(index.entries, header.log_length)};
  if (sequence.entries.empty()) {
    return broken(11, Errc::corrupt, header.log_offset,
                  fmt::format("log at {:#x}: {} valid entries for LogGuid {}, expected an active "
                              "sequence",
                              header.log_offset, index.entries.size(), to_string(header.log_guid)));
  }
  RawLogEntryHeader raw;
  VDISK_TRY(read_log(file, header, sequence.entries.back().offset, writable_bytes_of(raw)));
  sequence.flushed_file_offset = raw.flushed_file_offset.value();
  sequence.last_file_offset = raw.last_file_offset.value();
  return sequence;
}

}  // namespace vdisk::vhdx
