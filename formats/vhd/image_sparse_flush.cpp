/// flush, and close: payload durable, then metadata, then durable.
#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/image_sparse.h"

namespace vdisk::vhd {

namespace {

constexpr std::size_t largest_write = mib;

/// Writes pages; those that follow each other go out together.
Status write_pages(File& file, const std::vector<DirtyPage>& pages) {
  std::vector<std::byte> run;
  u64 run_offset = 0;
  for (const DirtyPage& page : pages) {
    const bool joins = page.offset == run_offset + run.size() && run.size() < largest_write;
    if (!run.empty() && !joins) {
      VDISK_TRY(file.write_at(run_offset, run));
      run.clear();
    }
    if (run.empty()) run_offset = page.offset;
    run.insert(run.end(), page.data.begin(), page.data.end());
  }
  return run.empty() ? Status() : file.write_at(run_offset, run);
}

/// End of the last block or other structure.
Result<u64> end_of_use(const File& file, const Layout& layout) {
  u64 end = 0;
  for (const FileRange& range : metadata_ranges(layout)) end = std::max(end, range.end());
  VDISK_TRY(
      for_each_entry(file, layout.header.table_offset, layout.block_count, [&](u64, u32 sector) {
        if (sector == unallocated) return Status();
        end = std::max(end, u64{sector} * sector_size + layout.footprint());
        return Status();
      }));
  return end;
}

}  // namespace

Status SparseImage::flush_file() {
  if (!crash_safe()) return {};
  auto flushed = file_->flush();
  if (!flushed) failed_ = true;
  return flushed;
}

Status SparseImage::flush() {
  if (options_.access != Access::read_write) return {};
  const std::lock_guard lock(flush_mutex_);
  return write_metadata();
}

/// What was freed before the snapshot of the BAT is free on disk when this succeeds.
Status SparseImage::write_metadata() {
  VDISK_TRY(check_writable());
  std::vector<FileRange> freed;
  DirtyMetadata dirty;
  {
    const std::lock_guard allocation_lock(allocation_mutex_);
    freed.swap(freed_);
    const std::lock_guard lock(map_mutex_);
    dirty = map_->dirty();
  }
  const auto written = write_snapshot(dirty);
  const std::lock_guard allocation_lock(allocation_mutex_);
  auto& target = written ? durably_freed_ : freed_;
  target.insert(target.end(), freed.begin(), freed.end());
  return written;
}

Status SparseImage::write_snapshot(const DirtyMetadata& dirty) {
  VDISK_TRY(flush_file());
  if (dirty.empty()) return {};
  VDISK_TRY(write_pages(*file_, dirty.bitmaps));
  VDISK_TRY(write_pages(*file_, dirty.table));
  VDISK_TRY(flush_file());
  const std::lock_guard lock(map_mutex_);
  map_->mark_clean(dirty);
  return {};
}

Status SparseImage::close() {
  if (options_.access != Access::read_write) return {};
  const std::lock_guard lock(flush_mutex_);
  VDISK_TRY(write_metadata());
  if (!space_is_known_) return {};
  const std::lock_guard allocation_lock(allocation_mutex_);
  return cut_tail();
}

/// The end footer goes where the next block's bitmap would; until the file is cut there are two.
Status SparseImage::cut_tail() {
  const Layout now = layout();
  VDISK_ASSIGN(const u64 end, end_of_use(*file_, now));
  const u64 target = std::min(aligned_place(end, block_shape(now)), now.footer_offset);
  if (target != now.footer_offset || !crash_safe()) {
    VDISK_TRY(write_footer(*file_, target, now.footer));
    VDISK_TRY(flush_file());
    VDISK_TRY(file_->resize(target + footer_size));
  }
  const std::lock_guard lock(map_mutex_);
  layout_.footer_offset = target;
  layout_.file_size = target + footer_size;
  map_->set_data_limit(target);
  free_.reset();
  space_is_known_ = false;
  return {};
}

}  // namespace vdisk::vhd
