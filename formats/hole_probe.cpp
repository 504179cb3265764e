#include "formats/hole_probe.h"

#include <algorithm>

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

}  // namespace vdisk
