/// The flag is that of the VHD footer (FORMATS 1.2).
#include "saved_state.h"

#include <fmt/format.h>

#include "errors.h"
#include "images.h"

namespace vdisk::tool {

void warn_about_saved_state(const std::filesystem::path& path, const LayerInfo& layer) {
  if (!layer.image.saved_state) return;
  remark(
      fmt::format("warning: {} belongs to a virtual machine in saved state, which takes the disk "
                  "for what it was: discard that state before the machine runs again",
                  text_of(path)));
}

void warn_about_saved_state(const std::filesystem::path& path) {
  const auto disk = Disk::open(path, {.read_log = ReadLog::memory, .lock = false});
  if (!disk) return;
  const auto layer = disk->layer(0);
  if (layer) warn_about_saved_state(path, *layer);
}

}  // namespace vdisk::tool
