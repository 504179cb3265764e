#include "engine/find_data.h"

#include <algorithm>
#include <vector>

#include "base/checksum.h"
#include "base/try.h"
#include "engine/content.h"

namespace vdisk {

namespace {

void clear_ignored(std::span<std::byte> piece, u64 offset, std::span<const GuestRange> ignored) {
  const u64 end = offset + piece.size();
  for (const GuestRange& range : ignored) {
    const u64 from = std::max(range.begin, offset);
    const u64 to = std::min(range.end, end);
    if (from < to) std::ranges::fill(piece.subspan(from - offset, to - from), std::byte{});
  }
}

}  // namespace

Result<std::optional<u64>> find_data(const Disk& disk, GuestRange range,
                                     std::span<const GuestRange> ignored, Progress& progress) {
  std::vector<std::byte> buffer(piece_size);
  for (u64 offset = range.begin; offset < range.end;) {
    VDISK_ASSIGN(const auto run,
                 content_run_at(DiskAccess::core(disk), offset, range.end - offset));
    u64 length = run.length;
    if (run.data) {
      length = std::min<u64>(length, buffer.size());
      const auto piece = std::span(buffer).first(length);
      VDISK_TRY(disk.read(offset, piece));
      clear_ignored(piece, offset, ignored);
      if (!is_zero(piece)) {
        const auto found =
            std::ranges::find_if(piece, [](std::byte byte) { return byte != std::byte{}; });
        return std::optional<u64>(offset + static_cast<u64>(found - piece.begin()));
      }
    }
    offset += length;
    VDISK_TRY(progress.advance(length));
  }
  return std::optional<u64>();
}

}  // namespace vdisk
