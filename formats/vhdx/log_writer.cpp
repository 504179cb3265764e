#include "formats/vhdx/log_writer.h"

#include <algorithm>

#include "base/try.h"
#include "formats/vhdx/log_entry.h"

namespace vdisk::vhdx {

namespace {

/// Memory for one entry of a large log: 4 MiB.
constexpr u64 largest_entry_pages = 1024;
/// Head never meets tail: one sector stays free.
constexpr u64 gap_bytes = log_sector_size;
/// An empty entry, which moves the tail when the log is full.
constexpr u64 empty_entry_bytes = log_sector_size;

/// What fits behind an empty entry, with room for another one.
u64 pages_that_fit(u64 log_length) {
  const u64 room = log_length - 2 * empty_entry_bytes - gap_bytes;
  u64 count = std::min(room / log_sector_size, largest_entry_pages);
  while (log_entry_length(count) > room) --count;
  return count;
}

}  // namespace

LogWriter::LogWriter(const LogArea& area) : area_(area), max_pages_(pages_that_fit(area.length)) {}

bool LogWriter::has_room(u64 page_count) const {
  return log_entry_length(page_count) + empty_entry_bytes + gap_bytes <= free_bytes();
}

Status LogWriter::append(File& file, std::span<const DirtyPage> pages, const LoggedSizes& sizes) {
  std::vector<LogPage> log_pages;
  log_pages.reserve(pages.size());
  for (const DirtyPage& page : pages) log_pages.push_back({page.offset, page.data});
  const u64 tail = entries_.empty() ? head_ : entries_.front().offset;
  const auto entry = encode_log_entry({.log_guid = area_.log_guid,
                                       .sequence_number = next_sequence_number_,
                                       .tail = static_cast<u32>(tail),
                                       .flushed_file_offset = sizes.flushed_file_offset,
                                       .last_file_offset = sizes.last_file_offset,
                                       .pages = log_pages});
  VDISK_TRY(write_wrapped(file, entry));
  entries_.push_back({.offset = head_});
  newest_tail_ = tail;
  ++next_sequence_number_;
  head_ = (head_ + entry.size()) % area_.length;
  return {};
}

void LogWriter::synced() {
  while (!entries_.empty() && entries_.front().applied) entries_.pop_front();
  for (Entry& entry : entries_) entry.durable = true;
  kept_from_ = newest_tail_;
}

void LogWriter::applied() {
  for (Entry& entry : entries_) entry.applied = entry.durable;
}

u64 LogWriter::free_bytes() const {
  const u64 used = (head_ + area_.length - kept_from_) % area_.length;
  return area_.length - used;
}

Status LogWriter::write_wrapped(File& file, std::span<const std::byte> entry) const {
  const auto first = entry.first(std::min<u64>(entry.size(), area_.length - head_));
  VDISK_TRY(file.write_at(area_.offset + head_, first));
  const auto rest = entry.subspan(first.size());
  return rest.empty() ? Status() : file.write_at(area_.offset, rest);
}

}  // namespace vdisk::vhdx
