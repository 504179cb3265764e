#include "io/temporary_file.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/try.h"
#include "io/os_error.h"
#include "vdisk/guid.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

constexpr mode_t new_file_mode = 0666;  // less the umask
/// Names are at most 255 bytes; the rest is for what surrounds the name.
constexpr std::size_t longest_kept_name = 200;
constexpr std::size_t random_digits = 8;

fs::path temporary_name(const std::string& name) {
  const std::string random = to_string(random_guid()).substr(0, random_digits);
  return fmt::format(".{}.vdisk-tmp-{}", name.substr(0, longest_kept_name), random);
}

}  // namespace

Result<std::shared_ptr<File>> TemporaryFile::create(const fs::path& directory,
                                                    const std::string& name) {
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  for (;;) {
    const fs::path path = directory / temporary_name(name);
    const int number = retried([&] { return ::open(path.c_str(), flags, new_file_mode); });
    if (number < 0 && errno == EEXIST) continue;
    if (number < 0) {
      auto error = fail_os(errno, (directory / name).string(), "create");
      if (error.error().code == Errc::file_not_found) error.error().code = Errc::path_not_found;
      return error;
    }
    return std::make_shared<TemporaryFile>(Descriptor(number), path);
  }
}

TemporaryFile::TemporaryFile(Descriptor descriptor, fs::path path)
    : PosixFile(std::move(descriptor), path.string()), path_(std::move(path)) {}

TemporaryFile::~TemporaryFile() {
  if (!path_.empty()) (void)retried([&] { return ::unlink(path_.c_str()); });
}

void TemporaryFile::published_as(const fs::path& target) {
  path_.clear();
  rename(target.string());
}

}  // namespace vdisk
