#include "engine/content.h"

#include <algorithm>

#include "base/try.h"

namespace vdisk {

namespace {

/// Cuts a data extent where a hole of its file begins or ends.
Result<ContentRun> without_holes(const File& file, const MappedExtent& extent) {
  ContentRun run{extent.offset, extent.length, true};
  VDISK_ASSIGN(const Hole hole, file.next_hole(extent.file_offset));
  if (hole.length == 0) return run;
  if (hole.offset > extent.file_offset) {
    run.length = std::min(run.length, hole.offset - extent.file_offset);
    return run;
  }
  run.data = false;
  run.length = std::min(run.length, hole.offset + hole.length - extent.file_offset);
  return run;
}

}  // namespace

Result<ContentRun> content_run_at(const Disk::Core& disk, u64 offset, u64 limit) {
  VDISK_ASSIGN(const auto extent, disk.resolve(offset, limit, disk.layers.size()));
  const bool unknown = extent.state == State::absent && !disk.complete;
  if (unknown) return ContentRun{extent.offset, extent.length, true};  // reading it will say why
  if (extent.state != State::data) return ContentRun{extent.offset, extent.length, false};
  return without_holes(disk.layers[extent.depth].image->file(), extent);
}

}  // namespace vdisk
