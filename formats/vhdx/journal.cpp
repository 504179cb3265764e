#include "formats/vhdx/journal.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhdx {

namespace {

/// Neighbouring pages are written together, up to this many bytes.
constexpr u64 largest_write = 256 * kib;

std::optional<LogWriter> log_writer(const Header& header, const Guid& log_guid) {
  if (header.log_length == 0) return std::nullopt;
  return LogWriter({header.log_offset, header.log_length, log_guid});
}

void append_copies(std::vector<DirtyPage>& to, std::span<const DirtyPage> pages) {
  to.insert(to.end(), pages.begin(), pages.end());
}

}  // namespace

Journal::Journal(File& file, const HeaderPair& headers, Durability durability)
    : file_(file),
      session_(file_, headers),
      durability_(durability),
      log_(log_writer(headers.current, session_.log_guid())) {}

Status Journal::begin(Visibility visibility) {
  VDISK_TRY(require_healthy());
  if (durability_ == Durability::crash_safe) VDISK_TRY(session_.begin(visibility));
  begun_ = std::max(begun_.load(), visibility);
  return {};
}

Status Journal::write(const MetadataWrite& metadata) {
  if (durability_ == Durability::unpublished) return apply(metadata.pages);
  if (metadata.together_count > log_->max_pages()) {
    return fail(Errc::metadata_full,
                fmt::format("log: {} pages that belong together, expected at most {} for its size",
                            metadata.together_count, log_->max_pages()));
  }
  VDISK_TRY(complete());
  if (metadata.pages.empty()) return sync();
  if (metadata.payload_first) VDISK_TRY(sync());
  return log_and_apply(metadata);
}

Status Journal::log_and_apply(const MetadataWrite& metadata) {
  const LoggedSizes sizes{.flushed_file_offset = round_down(file_.durable_size(), mib),
                          .last_file_offset = metadata.last_file_offset};
  std::span<const DirtyPage> rest = metadata.pages;
  while (!rest.empty()) {
    const auto count = [&] { return next_count(rest.size(), metadata.together_count); };
    VDISK_TRY(make_room(count(), sizes));
    while (!rest.empty() && log_->has_room(count())) {
      const auto entry = rest.first(count());
      VDISK_TRY(log_->append(file_.file(), entry, sizes));
      append_copies(appended_, entry);
      rest = rest.subspan(entry.size());
    }
    VDISK_TRY(complete());
  }
  return {};
}

std::size_t Journal::next_count(std::size_t left, std::size_t together) const {
  if (left <= log_->max_pages()) return left;
  // left > max_pages >= together: what comes before the last group is never empty.
  return std::min<std::size_t>(log_->max_pages(), left - together);
}

/// When the log is full, its pages are made durable in place and an empty entry moves the tail.
Status Journal::make_room(u64 page_count, const LoggedSizes& sizes) {
  if (log_->has_room(page_count)) return {};
  VDISK_TRY(sync());
  VDISK_TRY(log_->append(file_.file(), {}, sizes));
  VDISK_TRY(sync());
  log_->applied();
  return {};
}

Status Journal::complete() {
  if (!appended_.empty()) {
    VDISK_TRY(sync());
    VDISK_TRY(session_.open_log());
    unapplied_.insert(unapplied_.end(), std::make_move_iterator(appended_.begin()),
                      std::make_move_iterator(appended_.end()));
    appended_.clear();
  }
  if (unapplied_.empty()) return {};
  VDISK_TRY(apply(unapplied_));
  unapplied_.clear();
  log_->applied();
  return {};
}

Status Journal::apply(std::span<const DirtyPage> pages) {
  std::vector<const DirtyPage*> sorted;
  for (const DirtyPage& page : pages) sorted.push_back(&page);
  std::ranges::sort(sorted, {}, [](const DirtyPage* page) { return page->offset; });
  applied_since_sync_ = true;
  std::vector<std::byte> run;
  for (std::size_t index = 0; index < sorted.size();) {
    const u64 offset = sorted[index]->offset;
    run.clear();
    while (index < sorted.size() && sorted[index]->offset == offset + run.size() &&
           run.size() < largest_write) {
      run.insert(run.end(), sorted[index]->data.begin(), sorted[index]->data.end());
      ++index;
    }
    VDISK_TRY(file_.file().write_at(offset, run));
  }
  return {};
}

Status Journal::sync() {
  if (durability_ == Durability::unpublished) return {};
  VDISK_TRY(file_.sync());
  if (log_) log_->synced();
  applied_since_sync_ = false;
  return {};
}

Status Journal::close() {
  if (durability_ == Durability::unpublished || begun_ == Visibility::none) return {};
  VDISK_TRY(complete());
  if (applied_since_sync_) VDISK_TRY(sync());
  return session_.close();
}

Guid Journal::next_content_id() const {
  return durability_ == Durability::unpublished ? session_.content_id()
                                                : session_.next_content_id();
}

}  // namespace vdisk::vhdx
