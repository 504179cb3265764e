#include "formats/hole_probe.h"

#include <algorithm>
#include <vector>

#include "base/checksum.h"
#include "base/try.h"

namespace vdisk {

Result<bool> HoleProbe::is_hole(u64 offset, u64 length) {
  const bool known = offset >= begin_ && offset < end_;
  if (!known) {
    if (questions_++ >= max_questions) return false;
    VDISK_ASSIGN(const Hole hole, file_.next_hole(offset));
    hole_ = hole.length != 0 && hole.offset <= offset;
    begin_ = offset;
    end_ = hole_ ? hole.offset + hole.length : std::max(hole.offset, offset + 1);
  }
  return hole_ && length <= end_ - offset;
}

Result<bool> reads_as_zeros(const File& file, u64 offset, u64 length) {
  constexpr u64 piece_size = 64 * kib;
  std::vector<std::byte> buffer(std::min(piece_size, length));
  while (length > 0) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(offset));
    u64 done = hole.offset == offset ? std::min(hole.length, length) : 0;
    if (done == 0) {
      done = std::min<u64>(buffer.size(), length);
      const auto piece = std::span(buffer).first(done);
      VDISK_TRY(file.read_at(offset, piece));
      if (!is_zero(piece)) return false;
    }
    offset += done;
    length -= done;
  }
  return true;
}

}  // namespace vdisk
