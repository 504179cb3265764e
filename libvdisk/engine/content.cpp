#include "engine/content.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/try.h"

namespace vdisk {

namespace {

/// Cuts a data extent where a hole of its file begins or ends.
Result<ContentRun> without_holes(const Layer& layer, const MappedExtent& extent) {
  ContentRun run{extent.offset, extent.length, true, &layer, extent.file_offset};
  if (layer.image->extents_leave_out_holes()) return run;
  VDISK_ASSIGN(const Hole hole, layer.image->file().next_hole(extent.file_offset));
  if (hole.length == 0) return run;
  if (hole.offset > extent.file_offset) {
    run.length = std::min(run.length, hole.offset - extent.file_offset);
    return run;
  }
  run = {extent.offset, extent.length};
  run.length = std::min(run.length, hole.offset + hole.length - extent.file_offset);
  return run;
}

}  // namespace

Result<ContentRun> content_run_at(const Disk::Core& disk, u64 offset, u64 limit) {
  VDISK_ASSIGN(const auto extent, disk.resolve(offset, limit, disk.layers.size()));
  const bool unknown = extent.state == State::absent && !disk.complete;
  if (unknown) return ContentRun{extent.offset, extent.length, true};  // reading it will say why
  if (extent.state != State::data) return ContentRun{extent.offset, extent.length, false};
  return without_holes(disk.layers[extent.depth], extent);
}

Result<ContentRun> padded_run_at(const Disk& disk, u64 offset, u64 limit) {
  if (offset >= disk.size()) return ContentRun{offset, limit, false};
  return content_run_at(DiskAccess::core(disk), offset, std::min(limit, disk.size() - offset));
}

Result<bool> reads_zero(const Disk& disk, u64 offset, u64 length, std::span<std::byte> buffer) {
  const u64 end = offset + length;
  while (offset < end) {
    VDISK_ASSIGN(const auto run, padded_run_at(disk, offset, end - offset));
    const u64 count = run.data ? std::min<u64>(run.length, buffer.size()) : run.length;
    const auto piece = buffer.first(run.data ? static_cast<std::size_t>(count) : 0);
    if (run.data) VDISK_TRY(disk.read(offset, piece));
    if (!is_zero(piece)) return false;
    offset += count;
  }
  return true;
}

}  // namespace vdisk
