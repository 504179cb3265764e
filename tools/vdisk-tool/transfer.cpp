/// Transfers: counted in bytes, interruptible between two chunks.
#include "transfer.h"

#include <algorithm>

#include "signals.h"

namespace vdisk::tool {

Transfer::Transfer(std::string_view operation, const OutputOptions& options, u64 expected_bytes)
    : display_(operation, options), status_{Errc::pending, 0, std::max<u64>(expected_bytes, 1)} {
  display_.update(status_);
}

Status Transfer::advance(u64 bytes) {
  status_.current_value += bytes;
  display_.update(status_);
  return check_interrupted();
}

Status Transfer::finish(Status result) {
  auto last = status_;
  last.operation_status = result ? Errc::success : result.error().code;
  // An input may end before the disk does: what was done is then all there was.
  if (result) last.completion_value = last.current_value = std::max<u64>(last.current_value, 1);
  display_.finish(last);
  return result;
}

}  // namespace vdisk::tool
