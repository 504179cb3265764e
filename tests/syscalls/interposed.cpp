#include "syscalls/interposed.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <mutex>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vdisk::test {

namespace {

std::atomic<bool> active = false;
SyscallTrouble trouble;
std::mutex counts_mutex;
std::map<std::string, int> troubled;

void count(const char* function) {
  const std::scoped_lock lock(counts_mutex);
  ++troubled[function];
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// The first try fails, the second one is done: each thread takes turns.
bool fails_now(const char* function, bool wanted, int error) {
  static thread_local const char* troubled_call = nullptr;
  if (!active || !wanted) return false;
  if (troubled_call == function) {
    troubled_call = nullptr;
    return false;
  }
  troubled_call = function;
  count(function);
  errno = error;
  return true;
}

bool interrupted(const char* function) {
  return fails_now(function, trouble.interrupt, EINTR);
}

bool not_offered(const char* function, bool lacking, int error) {
  if (!active || !lacking) return false;
  count(function);
  errno = error;
  return true;
}

bool bare(const char* function, int error) {
  return not_offered(function, trouble.bare_file_system, error);
}

std::size_t shortened(const char* function, std::size_t size) {
  if (!active || trouble.most_bytes == 0 || size <= trouble.most_bytes) return size;
  count(function);
  return trouble.most_bytes;
}

template <class Function, class... Arguments>
auto call(const char* name, Arguments... arguments) {
  static Function* const real = next<Function>(name);
  return real(arguments...);
}

}  // namespace

TroubledSyscalls::TroubledSyscalls(const SyscallTrouble& wanted) {
  trouble = wanted;
  troubled.clear();
  active = true;
}
TroubledSyscalls::~TroubledSyscalls() {
  active = false;
}
std::map<std::string, int> TroubledSyscalls::counts() const {
  const std::scoped_lock lock(counts_mutex);
  return troubled;
}

}  // namespace vdisk::test

// The functions themselves. What libvdisk/io does not call is not here.
using namespace vdisk::test;

extern "C" {

ssize_t pread(int file, void* data, std::size_t size, off_t offset) {
  if (interrupted("pread") || fails_now("pread", trouble.again, EAGAIN)) return -1;
  return call<decltype(::pread)>("pread", file, data, shortened("pread", size), offset);
}

ssize_t pwrite(int file, const void* data, std::size_t size, off_t offset) {
  if (interrupted("pwrite") || fails_now("pwrite", trouble.again, EAGAIN)) return -1;
  return call<decltype(::pwrite)>("pwrite", file, data, shortened("pwrite", size), offset);
}

ssize_t copy_file_range(int in, off_t* in_offset, int out, off_t* out_offset, std::size_t size,
                        unsigned flags) {
  if (interrupted("copy_file_range") || bare("copy_file_range", EXDEV)) return -1;
  return call<decltype(::copy_file_range)>("copy_file_range", in, in_offset, out, out_offset,
                                           shortened("copy_file_range", size), flags);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  if (interrupted("fallocate") || bare("fallocate", EOPNOTSUPP)) return -1;
  return call<decltype(::fallocate)>("fallocate", file, mode, offset, length);
}

off_t lseek(int file, off_t offset, int whence) noexcept {
  if ((whence == SEEK_HOLE || whence == SEEK_DATA) && bare("lseek", EINVAL)) return -1;
  return call<decltype(::lseek)>("lseek", file, offset, whence);
}

int ioctl(int file, unsigned long request, ...) noexcept {
  va_list rest;
  va_start(rest, request);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  if (bare("ioctl", EOPNOTSUPP)) return -1;
  return call<int(int, unsigned long, void*)>("ioctl", file, request, argument);
}

int ftruncate(int file, off_t size) noexcept {
  if (interrupted("ftruncate")) return -1;
  return call<decltype(::ftruncate)>("ftruncate", file, size);
}

int fdatasync(int file) {
  if (interrupted("fdatasync")) return -1;
  return call<decltype(::fdatasync)>("fdatasync", file);
}

int fsync(int file) {
  if (interrupted("fsync") || bare("fsync", EINVAL)) return -1;
  return call<decltype(::fsync)>("fsync", file);
}

int rename(const char* from, const char* to) noexcept {
  if (interrupted("rename")) return -1;
  return call<decltype(::rename)>("rename", from, to);
}

int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned flags) noexcept {
  if (interrupted("renameat2")) return -1;
  if (flags != 0 && bare("renameat2", EINVAL)) return -1;
  return call<decltype(::renameat2)>("renameat2", from_at, from, to_at, to, flags);
}

int link(const char* from, const char* to) noexcept {
  if (interrupted("link")) return -1;
  return call<decltype(::link)>("link", from, to);
}

int unlink(const char* path) noexcept {
  if (interrupted("unlink")) return -1;
  return call<decltype(::unlink)>("unlink", path);
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : mode_t{0};
  va_end(rest);
  if (interrupted("open")) return -1;
  return call<int(const char*, int, mode_t)>("open", path, flags, mode);
}

int openat(int at, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const auto mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : mode_t{0};
  va_end(rest);
  if (interrupted("openat")) return -1;
  return call<int(int, const char*, int, mode_t)>("openat", at, path, flags, mode);
}

int fcntl(int file, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  if (command == F_OFD_SETLK) {
    if (interrupted("fcntl") || not_offered("fcntl", trouble.no_locks, ENOLCK)) return -1;
  }
  return call<int(int, int, void*)>("fcntl", file, command, argument);
}

long syscall(long number, ...) noexcept {
  va_list rest;
  va_start(rest, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_openat2) {
    if (active && trouble.no_openat2) {
      errno = ENOSYS;
      return -1;
    }
    // From the kernel: a name changed while it was looked up, and nothing can be said for sure.
    if (interrupted("openat2") || fails_now("openat2", trouble.again, EAGAIN)) return -1;
  }
  return call<long(long, long, long, long, long, long, long)>(
      "syscall", number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
      arguments[5]);
}

}  // extern "C"
