#include "io/os_error.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace vdisk {

Errc errc_of(int os_error) noexcept {
  switch (os_error) {
    case ENOENT: return Errc::file_not_found;
    case ENOTDIR: return Errc::path_not_found;
    case EACCES:
    case EPERM: return Errc::access_denied;
    case EROFS: return Errc::write_protected;
    case EEXIST: return Errc::file_exists;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case EFBIG: return Errc::file_system_limit;
    case ENOMEM: return Errc::no_memory;
    case ENAMETOOLONG: return Errc::bad_path;
    case EISDIR:
    case ENXIO: return Errc::not_regular;
    case EBUSY:
    case ETXTBSY: return Errc::busy;
    case EOPNOTSUPP: return Errc::unsupported;
    default: return Errc::io;
  }
}

std::unexpected<Error> fail_os(int os_error, std::string_view name, std::string_view action) {
  const std::string text = std::system_category().message(os_error);
  return std::unexpected(
      Error{errc_of(os_error), fmt::format("{}: {}: {}", name, action, text), os_error});
}

}  // namespace vdisk
