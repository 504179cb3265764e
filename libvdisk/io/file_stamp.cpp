#include "io/file_stamp.h"

#include <cerrno>

#include <sys/stat.h>

#include "io/os_error.h"

namespace vdisk {

namespace {

i64 nanoseconds(const timespec& time) {
  constexpr i64 nanoseconds_per_second = 1'000'000'000;
  return i64{time.tv_sec} * nanoseconds_per_second + time.tv_nsec;
}

}  // namespace

Result<FileStamp> host_stamp(const std::filesystem::path& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_os(errno, path.native(), "status");
  return FileStamp{.id = {.device = status.st_dev, .inode = status.st_ino},
                   .size = static_cast<u64>(status.st_size),
                   .modified_nanoseconds = nanoseconds(status.st_mtim),
                   .changed_nanoseconds = nanoseconds(status.st_ctim)};
}

}  // namespace vdisk
