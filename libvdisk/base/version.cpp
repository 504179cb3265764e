#include "vdisk/version.h"

namespace vdisk {
std::string_view version() noexcept {
  return VDISK_VERSION;
}
}  // namespace vdisk
