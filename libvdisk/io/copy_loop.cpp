#include "io/copy_loop.h"

#include <algorithm>

#include "base/try.h"

namespace vdisk {

namespace {
/// Writes of 64 - 128 KiB are about twice as fast as larger ones on Linux file systems.
constexpr u64 piece_size = 128 * kib;
}  // namespace

Status copy_by_loop(const File& source, File& target, const CopyRange& range) {
  std::vector<std::byte> buffer(std::min(range.length, piece_size));
  for (u64 done = 0; done < range.length;) {
    const auto piece = std::span(buffer).first(std::min(range.length - done, piece_size));
    VDISK_TRY(source.read_at(range.source_offset + done, piece));
    VDISK_TRY(target.write_at(range.target_offset + done, piece));
    done += piece.size();
  }
  return {};
}

}  // namespace vdisk
