/// Ranges are refused as a whole before anything is done.
#include "guest_range.h"

#include <fmt/format.h>

namespace vdisk::tool {

Result<GuestRange> resolve_range(u64 disk_size, std::string_view path,
                                 const RangeOptions& options) {
  const u64 room = options.offset <= disk_size ? disk_size - options.offset : 0;
  const u64 length = options.length.value_or(room);
  if (options.offset > disk_size || length > room) {
    return fail(Errc::end_of_file,
                fmt::format("{}: {} bytes at offset {:#x} lie behind the end of the disk, expected "
                            "at most {} bytes in all",
                            path, length, options.offset, disk_size));
  }
  return GuestRange{options.offset, length};
}

}  // namespace vdisk::tool
