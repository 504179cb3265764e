#include "formats/vhdx/watched_file.h"

#include "base/try.h"

namespace vdisk::vhdx {

Status WatchedFile::sync() {
  VDISK_TRY(require_healthy());
  VDISK_ASSIGN(const u64 size, file_.size());
  if (auto flushed = file_.flush(); !flushed) {
    poisoned_ = true;
    return flushed;
  }
  durable_size_ = size;
  return {};
}

Status WatchedFile::require_healthy() const {
  if (!poisoned_) return {};
  return fail(Errc::poisoned, "VHDX: an earlier flush failed, expected no write after it");
}

}  // namespace vdisk::vhdx
