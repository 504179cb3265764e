#include "formats/copy_stored.h"

#include <algorithm>

#include "base/try.h"

namespace vdisk {

Status copy_stored(File& file, u64 from, u64 to, u64 length) {
  for (u64 done = 0; done < length;) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(from + done));
    const bool in_hole = hole.length != 0 && hole.offset <= from + done;
    const u64 run_end =
        in_hole ? hole.offset + hole.length : std::max(hole.offset, from + done + 1);
    const u64 run = std::min(length - done, run_end - from - done);
    if (!in_hole) VDISK_TRY(file.copy_from(file, from + done, to + done, run));
    done += run;
  }
  return {};
}

}  // namespace vdisk
