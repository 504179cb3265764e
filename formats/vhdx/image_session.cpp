// Begin, flush, reclaim and close of a VHDX: when changes become durable.
#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

/// What one flush makes durable together.
struct VhdxImage::Epoch {
  u64 ticket = 0;  ///< flushes asked for up to this one are covered
  std::vector<DirtyPage> pages;
  std::size_t together_count = 0;
  std::vector<FreedRange> freed;
  bool payload_first = false;
  u64 last_file_offset = 0;
};

/// An image is looked through as a whole before its guest data change for the first time.
Status VhdxImage::begin(Visibility visibility) {
  if (journal_.begun() >= visibility) return {};
  const std::scoped_lock begin_lock(begin_mutex_);
  if (visibility == Visibility::guest_data) VDISK_TRY(learn_space());
  return journal_.begin(visibility);
}

/// Bytes move, and what the guest reads stays: its ids stay, too.
Status VhdxImage::begin_maintenance() {
  VDISK_TRY(require_writable());
  {
    const std::scoped_lock begin_lock(begin_mutex_);
    VDISK_TRY(learn_space());
  }
  return begin(Visibility::file_only);
}

Status VhdxImage::learn_space() {
  {
    const MetadataLock lock(mutex_);
    if (allocator_) return {};
  }
  // Only a session that has begun changes the map, so that the lock may be released between pages.
  const auto for_each_run = [this](auto&& visit) -> Status {
    for (u64 index = 0;;) {
      const MetadataLock lock(mutex_);
      VDISK_ASSIGN(const EntryRun run,
                   map_.next_entries(index, map_.layout().bat_layout.entry_count()));
      if (run.entries.empty()) return {};
      VDISK_TRY(visit(run));
      index = run.end_index();
    }
  };
  const Layout& layout = map_.layout();
  VDISK_ASSIGN(SpaceScan scan, SpaceScan::begin(layout));
  VDISK_TRY(for_each_run([&](const EntryRun& run) { return scan.add(layout, run); }));
  VDISK_TRY(scan.finish(layout));
  if (scan.saw_anchors()) {
    VDISK_TRY(for_each_run([&](const EntryRun& run) -> Status {
      scan.add_anchors(layout, run);
      return {};
    }));
  }
  const MetadataLock lock(mutex_);
  allocator_.emplace(*file_, map_, BlockAllocator::Start{scan.space(), scan.anchors_usable()});
  return {};
}

Status VhdxImage::flush_when_many_dirty() {
  {
    const MetadataLock lock(mutex_);
    if (map_.dirty_count() < dirty_limit_) return {};
  }
  const std::scoped_lock flush_lock(flush_mutex_);
  return flush_locked();
}

Status VhdxImage::flush() {
  if (options_.access == Access::read_only) return {};
  VDISK_TRY(require_writable());
  const u64 ticket = ++next_ticket_;
  const std::scoped_lock flush_lock(flush_mutex_);
  if (flushed_ticket_ >= ticket || journal_.begun() == Visibility::none) return {};
  return flush_locked();
}

/// `last_pages` go out behind everything else and change at once.
Status VhdxImage::flush_locked(std::span<const DirtyPage> last_pages) {
  const Epoch epoch = take_epoch(last_pages);
  const auto written = journal_.write({.pages = epoch.pages,
                                       .together_count = epoch.together_count,
                                       .payload_first = epoch.payload_first,
                                       .last_file_offset = epoch.last_file_offset});
  finish_epoch(epoch, written.has_value());
  if (!written) return written;
  flushed_ticket_ = epoch.ticket;
  std::vector<FreedRange> released;
  {
    const MetadataLock lock(mutex_);
    released = quarantine_.take_released();
  }
  give_back(released);
  return {};
}

VhdxImage::Epoch VhdxImage::take_epoch(std::span<const DirtyPage> last_pages) {
  Epoch epoch;
  epoch.ticket = next_ticket_;
  const MetadataLock lock(mutex_);
  epoch.pages = map_.dirty_pages();
  epoch.pages.insert(epoch.pages.end(), last_pages.begin(), last_pages.end());
  epoch.together_count = last_pages.size();
  epoch.freed = quarantine_.take_opened();
  epoch.payload_first = std::exchange(payload_first_, false);
  // Without a scan nothing was allocated: the file as it is holds everything.
  epoch.last_file_offset =
      allocator_ ? allocator_->used_end() : round_up(map_.layout().file_size, mib);
  return epoch;
}

void VhdxImage::finish_epoch(const Epoch& epoch, bool durable) {
  const MetadataLock lock(mutex_);
  if (!durable) {
    payload_first_ = payload_first_ || epoch.payload_first;
    quarantine_.restore(epoch.freed);
    return;
  }
  map_.written(epoch.pages);
  quarantine_.settle();  // of earlier flushes: their pages were in place before this one
  quarantine_.logged(epoch.freed);
}

/// Returns space that nobody needs any more to the host and to the allocator.
void VhdxImage::give_back(const std::vector<FreedRange>& ranges) {
  for (const FreedRange& range : ranges) {
    // A host that cannot punch keeps the bytes; they are zeroed before the space is used again.
    (void)file_->punch_at(range.offset, range.length);
    const MetadataLock lock(mutex_);
    allocator_->release(range.offset, range.length);
  }
}

void VhdxImage::reclaim() {
  const MetadataLock lock(mutex_);
  quarantine_.reclaim();
}

Status VhdxImage::close() {
  {
    const MetadataLock lock(mutex_);
    if (closed_) return {};
  }
  if (journal_.begun() != Visibility::none) {
    VDISK_TRY(flush());
    const std::scoped_lock flush_lock(flush_mutex_);
    VDISK_TRY(journal_.close());
    VDISK_TRY(cut_spare_room());
  }
  const MetadataLock lock(mutex_);
  closed_ = true;
  return {};
}

/// The log is empty: no older map can come back, and nobody uses an extent any more.
Status VhdxImage::cut_spare_room() {
  std::vector<FreedRange> freed;
  {
    const MetadataLock lock(mutex_);
    if (!allocator_) return {};
    quarantine_.settle();
    freed = quarantine_.take_settled();
    allocator_->drop_pending();
  }
  give_back(freed);
  const MetadataLock lock(mutex_);
  const Layout& layout = map_.layout();
  // The room of a fixed disk is its own, whatever the entries say (FORMATS 5.3, quirk 27).
  const u64 least = layout.type() == ImageType::fixed ? fixed_room_ : 0;
  const u64 end = std::max(allocator_->used_end(), least);
  if (end >= layout.file_size) return {};
  VDISK_TRY(file_->resize(end));
  map_.set_file_size(end);
  return {};
}

}  // namespace vdisk::vhdx
