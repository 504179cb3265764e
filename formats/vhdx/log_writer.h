/// The ring of the log, seen by its writer (FORMATS 2.5.6).
///
/// An entry goes through four stages: appended (written), durable (flushed), applied (its pages
/// are written in place), settled (these are flushed). The Tail of a new entry is the oldest one
/// that is not settled. What the newest durable entry names as its sequence is never overwritten:
/// after a crash it is the newest one. Threads: none of its own; the journal is serialised.
#pragma once

#include <deque>
#include <span>

#include "formats/page_cache.h"
#include "formats/vhdx/structures.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// File sizes that an entry states (FORMATS 2.5.1).
struct LoggedSizes {
  u64 flushed_file_offset = 0;
  u64 last_file_offset = 0;
};

struct LogArea {
  u64 offset = 0;
  u32 length = 0;
  Guid log_guid;
};

class LogWriter {
 public:
  explicit LogWriter(const LogArea& area);

  /// The most pages that fit into one entry of an otherwise settled log.
  [[nodiscard]] u64 max_pages() const { return max_pages_; }
  /// Whether an entry with that many pages fits and leaves room for an empty one.
  [[nodiscard]] bool has_room(u64 page_count) const;

  /// Writes one entry. Requires has_room(pages.size()), or no pages. A failure changes nothing.
  Status append(File& file, std::span<const DirtyPage> pages, const LoggedSizes& sizes);
  /// A flush succeeded: what was appended is durable, what was applied is settled.
  void synced();
  /// The pages of all durable entries have been written in place.
  void applied();

 private:
  struct Entry {
    u64 offset;  ///< from the start of the log
    bool durable = false;
    bool applied = false;
  };
  [[nodiscard]] u64 free_bytes() const;
  Status write_wrapped(File& file, std::span<const std::byte> entry) const;

  const LogArea area_;
  const u64 max_pages_;
  u64 head_ = 0;  ///< where the next entry goes, from the start of the log
  u64 next_sequence_number_ = 1;
  std::deque<Entry> entries_;  ///< not settled, oldest first
  u64 newest_tail_ = 0;        ///< Tail of the entry that was appended last
  u64 kept_from_ = 0;          ///< Tail of the newest durable entry: [kept_from_, head_) stays
};

}  // namespace vdisk::vhdx
