#include "io/posix_filesystem.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/try.h"
#include "io/file_attributes.h"
#include "io/os_error.h"
#include "io/posix_file.h"
#include "io/temporary_file.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

int open_flags(Access access) {
  const int mode = access == Access::read_write ? O_RDWR : O_RDONLY;
  return mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
}

fs::path directory_of(const fs::path& path) {
  const fs::path directory = path.parent_path();
  return directory.empty() ? fs::path(".") : directory;
}

Result<Descriptor> open_directory(const fs::path& path) {
  const int number =
      retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (number >= 0) return Descriptor(number);
  auto error = fail_os(errno, path.string(), "open directory");
  if (error.error().code == Errc::file_not_found) error.error().code = Errc::path_not_found;
  return error;
}

Status sync_directory(const fs::path& directory) {
  VDISK_ASSIGN(const Descriptor descriptor, open_directory(directory));
  if (retried([&] { return ::fsync(descriptor.get()); }) == 0) return {};
  if (errno == EINVAL) return {};  // this file system does not sync directories
  return fail_os(errno, directory.string(), "flush directory");
}

/// So often a lookup that others disturb is begun anew: they may go on for ever on purpose.
constexpr int most_disturbed_lookups = 256;

/// openat2 that never leaves the root; -1 with errno.
int open_inside(int root, const char* relative, int flags) {
  open_how how{};
  how.flags = static_cast<__u64>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto call = [&] { return ::syscall(SYS_openat2, root, relative, &how, sizeof how); };
  auto number = retried(call);
  // A name changed during the lookup, and the kernel cannot say where it led.
  for (int count = 0; number < 0 && errno == EAGAIN && count < most_disturbed_lookups; ++count) {
    number = retried(call);
  }
  return static_cast<int>(number);
}

/// The same for kernels without openat2: component by component, following no link at all.
int walk_inside(int root, const fs::path& relative, int flags) {
  Descriptor at(::dup(root));
  const fs::path clean = relative.lexically_normal();
  for (auto part = clean.begin(); part != clean.end(); ++part) {
    if (*part == ".." || part->is_absolute()) {
      errno = EXDEV;
      return -1;
    }
    const bool last = std::next(part) == clean.end();
    const int part_flags = last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    const int next =
        retried([&] { return ::openat(at.get(), part->c_str(), part_flags | O_NOFOLLOW); });
    if (next < 0 || last) return next;
    at = Descriptor(next);
  }
  errno = EISDIR;
  return -1;
}

bool is_policy_error(int error) {
  return error == EXDEV || error == ELOOP;
}

std::unexpected<Error> refuse(const std::string& name, std::string_view why) {
  return fail(Errc::parent_access_denied, fmt::format("{}: {}", name, why));
}

Status rename_without_clobber(const fs::path& from, const fs::path& to) {
  const auto call = [&] {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  };
  if (retried(call) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return fail_os(errno, to.string(), "create");
  // This file system has no such rename: a hard link does not clobber either.
  if (retried([&] { return ::link(from.c_str(), to.c_str()); }) != 0) {
    return fail_os(errno, to.string(), "create");
  }
  (void)retried([&] { return ::unlink(from.c_str()); });
  return {};
}

/// Names of the entries that `wanted` takes.
template <class Wanted>
std::vector<fs::path> list_once(const fs::path& directory, const Wanted& wanted,
                                std::error_code& error) {
  std::vector<fs::path> names;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (wanted(*entry)) names.push_back(entry->path().filename());
  }
  return names;
}

/// The same, sorted, begun anew where it is interrupted.
template <class Wanted>
Result<std::vector<fs::path>> names_in(const fs::path& directory, const Wanted& wanted) {
  std::error_code error;
  auto names = list_once(directory, wanted, error);
  while (error == std::errc::interrupted) names = list_once(directory, wanted, error);
  if (error) return fail_os(error.value(), directory.string(), "list directory");
  std::sort(names.begin(), names.end());
  return names;
}

Status rename_over(const fs::path& from, const fs::path& to) {
  if (retried([&] { return ::rename(from.c_str(), to.c_str()); }) == 0) return {};
  return fail_os(errno, to.string(), "replace");
}

}  // namespace

Result<std::shared_ptr<File>> PosixFileSystem::open(const fs::path& path,
                                                    const FileOptions& options) {
  const int number = retried([&] { return ::open(path.c_str(), open_flags(options.access)); });
  if (number < 0) return fail_os(errno, path.string(), "open");
  return open_posix_file(Descriptor(number), path.string(), options);
}

Result<std::shared_ptr<File>> PosixFileSystem::open_beneath(const fs::path& root,
                                                            const fs::path& relative,
                                                            const FileOptions& options) {
  const std::string name = (root / relative).lexically_normal().string();
  VDISK_ASSIGN(const Descriptor directory, open_directory(root));
  const int flags = open_flags(options.access);
  int number = open_inside(directory.get(), relative.c_str(), flags);
  if (number < 0 && errno == ENOSYS) number = walk_inside(directory.get(), relative, flags);
  if (number < 0 && is_policy_error(errno)) return refuse(name, "leads out of the allowed place");
  if (number < 0) return fail_os(errno, name, "open");
  auto file = open_posix_file(Descriptor(number), name, options);
  if (!file && file.error().code == Errc::not_regular) return refuse(name, "not a regular file");
  return file;
}

Result<std::shared_ptr<File>> PosixFileSystem::create_beside(const fs::path& target) {
  return TemporaryFile::create(directory_of(target), target.filename().string());
}

Status PosixFileSystem::publish(File& file, const fs::path& target, bool replace) {
  auto* temporary = dynamic_cast<TemporaryFile*>(&file);
  if (temporary == nullptr) {
    return fail(Errc::invalid_handle, fmt::format("{}: not a temporary file", file.name()));
  }
  if (replace) {
    keep_attributes(temporary->descriptor(), target);
    VDISK_TRY(rename_over(temporary->path(), target));
  } else {
    VDISK_TRY(rename_without_clobber(temporary->path(), target));
  }
  temporary->published_as(target);
  return sync_directory(directory_of(target));
}

Status PosixFileSystem::remove(const fs::path& path) {
  if (retried([&] { return ::unlink(path.c_str()); }) != 0) {
    return fail_os(errno, path.string(), "remove");
  }
  return sync_directory(directory_of(path));
}

Result<FileId> PosixFileSystem::identity(const fs::path& path) const {
  struct stat status{};
  // A dangling link is a name, too: it must not be taken for a free one.
  if (::stat(path.c_str(), &status) != 0 && ::lstat(path.c_str(), &status) != 0) {
    return fail_os(errno, path.string(), "status");
  }
  return FileId{status.st_dev, status.st_ino};
}

Result<std::vector<fs::path>> PosixFileSystem::list(const fs::path& directory) const {
  std::error_code ignored;
  return names_in(directory,
                  [&](const fs::directory_entry& entry) { return entry.is_regular_file(ignored); });
}

Result<std::vector<fs::path>> PosixFileSystem::list_directories(const fs::path& directory) const {
  std::error_code ignored;
  return names_in(directory, [&](const fs::directory_entry& entry) {
    return entry.symlink_status(ignored).type() == fs::file_type::directory;
  });
}

Result<fs::path> PosixFileSystem::absolute(const fs::path& path) const {
  std::error_code error;
  const fs::path directory = fs::weakly_canonical(fs::absolute(directory_of(path), error), error);
  if (error) return fail_os(error.value(), path.string(), "path");
  return directory / path.filename();
}

std::shared_ptr<FileSystem> host_file_system() {
  return std::make_shared<PosixFileSystem>();
}

}  // namespace vdisk
