/// Descriptors: EINTR without a signal for us is retried, everything else is an error with errno.
#include "streams.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signals.h"
#include "try.h"

namespace vdisk::tool {
namespace {

std::unexpected<Error> system_error(std::string_view what, int code) {
  const auto kind = code == ENOENT                     ? Errc::file_not_found
                    : code == EACCES                   ? Errc::access_denied
                    : code == ENOSPC || code == EDQUOT ? Errc::no_space
                                                       : Errc::io;
  return std::unexpected(Error{kind, fmt::format("{}: {}", what, std::strerror(code)), code});
}

}  // namespace

Result<InputStream> InputStream::open(const std::optional<std::filesystem::path>& path) {
  if (!path || *path == "-") return InputStream(STDIN_FILENO, false, "standard input");
  const int descriptor = ::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) return system_error(path->native(), errno);
  return InputStream(descriptor, true, path->native());
}

InputStream::InputStream(InputStream&& other) noexcept
    : descriptor_(other.descriptor_),
      owned_(std::exchange(other.owned_, false)),
      name_(std::move(other.name_)) {}

InputStream::~InputStream() {
  if (owned_) (void)::close(descriptor_);
}

std::optional<u64> InputStream::remaining_size() const {
  struct stat status{};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const off_t position = lseek(descriptor_, 0, SEEK_CUR);
  if (position < 0) return std::nullopt;
  return position < status.st_size ? static_cast<u64>(status.st_size - position) : 0;
}

Result<std::size_t> InputStream::read(std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    TOOL_TRY(check_interrupted());
    const ssize_t count = ::read(descriptor_, out.data() + done, out.size() - done);
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(name_, errno);
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status write_standard_output(std::span<const std::byte> data) {
  while (!data.empty()) {
    TOOL_TRY(check_interrupted());
    const ssize_t count = ::write(STDOUT_FILENO, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot write to the standard output", errno);
    data = data.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

bool standard_output_is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

}  // namespace vdisk::tool
