#include "io/posix_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/copy_loop.h"
#include "io/os_error.h"

namespace vdisk {

namespace {

constexpr u64 largest_offset = static_cast<u64>(std::numeric_limits<off_t>::max());
/// The kernel moves at most about 2 GiB in one call.
constexpr u64 largest_transfer = gib;
constexpr u64 zero_piece = 64 * kib;

off_t offset_of(u64 offset) {
  return static_cast<off_t>(offset);
}

/// Waits until a descriptor that said EAGAIN may work again.
void wait_ready(int descriptor, short events) {
  pollfd waiting{descriptor, events, 0};
  (void)::poll(&waiting, 1, -1);
}

}  // namespace

PosixFile::PosixFile(Descriptor descriptor, std::string name)
    : descriptor_(std::move(descriptor)), name_(std::move(name)) {}

Status PosixFile::read_at(u64 offset, std::span<std::byte> out) const {
  const u64 start = offset;
  const u64 wanted = out.size();
  if (!lies_within(offset, wanted, 0, largest_offset)) {
    return failed(EOVERFLOW, "read", start, wanted);
  }
  while (!out.empty()) {
    const auto count = std::min<u64>(out.size(), largest_transfer);
    const auto got =
        retried([&] { return ::pread(descriptor_.get(), out.data(), count, offset_of(offset)); });
    if (got < 0 && errno == EAGAIN) {
      wait_ready(descriptor_.get(), POLLIN);
      continue;
    }
    if (got < 0) return failed(errno, "read", start, wanted);
    if (got == 0) {
      return fail_at(offset, Errc::end_of_file,
                     fmt::format("{}: read of {} bytes at {:#x}: the file ends at {:#x}", name_,
                                 wanted, start, offset));
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<u64>(got);
  }
  return {};
}

Status PosixFile::write_at(u64 offset, std::span<const std::byte> data) {
  VDISK_TRY(check_healthy());
  const u64 start = offset;
  const u64 wanted = data.size();
  if (!lies_within(offset, wanted, 0, largest_offset)) {
    return failed(EFBIG, "write", start, wanted);
  }
  while (!data.empty()) {
    const auto count = std::min<u64>(data.size(), largest_transfer);
    const auto put =
        retried([&] { return ::pwrite(descriptor_.get(), data.data(), count, offset_of(offset)); });
    if (put < 0 && errno == EAGAIN) {
      wait_ready(descriptor_.get(), POLLOUT);
      continue;
    }
    if (put < 0) return failed(errno, "write", start, wanted);
    if (put == 0) return failed(ENOSPC, "write", start, wanted);
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<u64>(put);
  }
  return {};
}

Status PosixFile::zero_at(u64 offset, u64 length) {
  VDISK_TRY(check_healthy());
  if (length == 0) return {};
  const auto end = checked_add(offset, length);
  if (!end || *end > largest_offset) return failed(EFBIG, "zeroing", offset, length);
  // A hole reads as zeros and costs nothing; only growing needs the size to be set.
  VDISK_ASSIGN(const u64 present, size());
  if (*end > present) VDISK_TRY(resize(*end));
  if (offset >= present) return {};
  const u64 inside = std::min(*end, present) - offset;
  VDISK_ASSIGN(const bool punched,
               allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, inside));
  return punched ? Status() : write_zeros(offset, inside);
}

Status PosixFile::punch_at(u64 offset, u64 length) {
  VDISK_TRY(check_healthy());
  VDISK_ASSIGN(const u64 present, size());
  if (offset >= present || length == 0) return {};
  return zero_at(offset, std::min(length, present - offset));
}

Result<bool> PosixFile::allocate(int mode, u64 offset, u64 length) {
  if (cannot_allocate_) return false;
  const int failure = retried(
      [&] { return ::fallocate(descriptor_.get(), mode, offset_of(offset), offset_of(length)); });
  if (failure == 0) return true;
  const int error = errno;
  const bool unsupported = error == EOPNOTSUPP || error == ENOSYS || error == ENODEV;
  if (!unsupported) return failed(error, "zeroing", offset, length);
  cannot_allocate_ = true;
  return false;
}

Status PosixFile::write_zeros(u64 offset, u64 length) {
  static constexpr std::array<std::byte, zero_piece> zeros{};
  while (length > 0) {
    const u64 count = std::min(length, zero_piece);
    VDISK_TRY(write_at(offset, std::span(zeros).first(count)));
    offset += count;
    length -= count;
  }
  return {};
}

Status PosixFile::copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) {
  VDISK_TRY(check_healthy());
  if (const auto* posix = dynamic_cast<const PosixFile*>(&source)) {
    VDISK_ASSIGN(const u64 copied, copy_in_kernel(*posix, source_offset, target_offset, length));
    source_offset += copied;
    target_offset += copied;
    length -= copied;
  }
  if (length == 0) return {};
  return copy_by_loop(source, *this, {source_offset, target_offset, length});
}

Result<bool> PosixFile::clone_from(const File& source, u64 source_offset, u64 target_offset,
                                   u64 length) {
  VDISK_TRY(check_healthy());
  const auto* posix = dynamic_cast<const PosixFile*>(&source);
  if (posix == nullptr || length == 0) return false;  // a length of 0 would mean: to the end
  const file_clone_range range{posix->descriptor_.get(), source_offset, length, target_offset};
  return ::ioctl(descriptor_.get(), FICLONERANGE, &range) == 0;
}

/// As much as the kernel takes: a clone where both ranges allow it, else copy_file_range. What is
/// left is for the loop, which also finds out why.
Result<u64> PosixFile::copy_in_kernel(const PosixFile& source, u64 source_offset, u64 target_offset,
                                      u64 length) {
  VDISK_ASSIGN(const bool cloned, clone_from(source, source_offset, target_offset, length));
  if (cloned) return length;
  u64 copied = 0;
  while (copied < length) {
    off_t from = offset_of(source_offset + copied);
    off_t to = offset_of(target_offset + copied);
    const auto count = std::min(length - copied, largest_transfer);
    const auto got = retried([&] {
      return ::copy_file_range(source.descriptor_.get(), &from, descriptor_.get(), &to, count, 0);
    });
    if (got <= 0) break;
    copied += static_cast<u64>(got);
  }
  return copied;
}

Result<u64> PosixFile::size() const {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return fail_os(errno, name_, "size");
  if (S_ISREG(status.st_mode)) return static_cast<u64>(status.st_size);
  const off_t end = ::lseek(descriptor_.get(), 0, SEEK_END);
  if (end < 0) return fail_os(errno, name_, "size");
  return static_cast<u64>(end);
}

Status PosixFile::resize(u64 new_size) {
  VDISK_TRY(check_healthy());
  if (new_size > largest_offset) return fail_os(EFBIG, name_, "resize");
  if (retried([&] { return ::ftruncate(descriptor_.get(), offset_of(new_size)); }) == 0) return {};
  return fail_os(errno, name_, fmt::format("resize to {} bytes", new_size));
}

Status PosixFile::flush() {
  VDISK_TRY(check_healthy());
  // fdatasync covers the size as well, since reading the data back needs it.
  if (retried([&] { return ::fdatasync(descriptor_.get()); }) == 0) return {};
  const int error = errno;
  poisoned_ = true;
  return fail_os(error, name_, "flush");
}

/// Two calls where data follow the hole; the end of the file counts as a hole of the kernel's.
Result<Hole> PosixFile::next_hole(u64 offset) const {
  if (cannot_seek_holes_ || offset > largest_offset) return no_hole();
  const off_t begin = ::lseek(descriptor_.get(), offset_of(offset), SEEK_HOLE);
  if (begin < 0) {
    cannot_seek_holes_ = errno == EINVAL || errno == EOPNOTSUPP;
    return no_hole();
  }
  const off_t data = ::lseek(descriptor_.get(), begin, SEEK_DATA);
  const bool last = data < 0 && errno == ENXIO;
  const auto hole_begin = static_cast<u64>(begin);
  if (data >= 0) return Hole{hole_begin, static_cast<u64>(data) - hole_begin};
  VDISK_ASSIGN(const Hole none, no_hole());
  if (!last || hole_begin >= none.offset) return none;
  return Hole{hole_begin, none.offset - hole_begin};
}

Result<Hole> PosixFile::no_hole() const {
  VDISK_ASSIGN(const u64 end, size());
  return Hole{end, 0};
}

Result<u64> PosixFile::allocated_size() const {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return fail_os(errno, name_, "status");
  if (!S_ISREG(status.st_mode)) return size();
  constexpr u64 stat_block = 512;
  return static_cast<u64>(status.st_blocks) * stat_block;
}

Result<FileId> PosixFile::identity() const {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return fail_os(errno, name_, "status");
  return FileId{status.st_dev, status.st_ino};
}

Result<i64> PosixFile::modified_time() const {
  struct stat status{};
  if (::fstat(descriptor_.get(), &status) != 0) return fail_os(errno, name_, "status");
  return static_cast<i64>(status.st_mtim.tv_sec);
}

Status PosixFile::set_modified_time(i64 seconds) {
  const std::array<timespec, 2> times{{{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                       {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0}}};
  if (::futimens(descriptor_.get(), times.data()) != 0) return fail_os(errno, name_, "set times");
  return {};
}

Status PosixFile::check_healthy() const {
  if (!poisoned_) return {};
  return fail(Errc::poisoned,
              fmt::format("{}: an earlier flush failed: nothing more is written", name_));
}

std::unexpected<Error> PosixFile::failed(int os_error, std::string_view action, u64 offset,
                                         u64 length) const {
  auto error =
      fail_os(os_error, name_, fmt::format("{} of {} bytes at {:#x}", action, length, offset));
  error.error().offset = offset;
  return error;
}

namespace {

Status check_kind(int descriptor, const std::string& name, bool allow_device) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return fail_os(errno, name, "status");
  if (S_ISREG(status.st_mode) || (allow_device && S_ISBLK(status.st_mode))) return {};
  return fail(Errc::not_regular,
              fmt::format("{}: {}, expected a regular file", name,
                          S_ISDIR(status.st_mode)   ? "a directory"
                          : S_ISBLK(status.st_mode) ? "a block device"
                                                    : "a pipe, socket or device"));
}

/// One byte at offset 0: whole-file locks of others conflict with it, and it stays clear of the
/// bytes that QEMU locks, so that both can read one image at a time.
Status take_lock(int descriptor, const std::string& name, Lock lock) {
  if (lock == Lock::none) return {};
  struct flock request{};
  request.l_type = static_cast<short>(lock == Lock::exclusive ? F_WRLCK : F_RDLCK);
  request.l_whence = SEEK_SET;
  request.l_len = 1;
  if (retried([&] { return ::fcntl(descriptor, F_OFD_SETLK, &request); }) == 0) return {};
  if (errno == EAGAIN || errno == EACCES) {
    return fail(Errc::busy,
                fmt::format("{}: locked by another user, expected {}", name,
                            lock == Lock::exclusive ? "nobody to use it" : "nobody to write it"));
  }
  return fail_os(errno, name, "lock");
}

Status clear_nonblock(int descriptor, const std::string& name) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags >= 0 && ::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) == 0) return {};
  return fail_os(errno, name, "open");
}

}  // namespace

Result<std::shared_ptr<PosixFile>> open_posix_file(Descriptor descriptor, std::string name,
                                                   const FileOptions& options) {
  VDISK_TRY(check_kind(descriptor.get(), name, options.allow_device));
  VDISK_TRY(clear_nonblock(descriptor.get(), name));
  VDISK_TRY(take_lock(descriptor.get(), name, options.lock));
  return std::make_shared<PosixFile>(std::move(descriptor), std::move(name));
}

}  // namespace vdisk
