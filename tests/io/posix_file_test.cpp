#include "io/posix_file.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/posix_filesystem.h"
#include "support/scratch_folder.h"

using namespace vdisk;
namespace fs = std::filesystem;
using test::ScratchFolder;

namespace {

std::vector<std::byte> bytes(u64 length, u8 value) {
  return std::vector<std::byte>(length, std::byte{value});
}

void put(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

std::string get(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::shared_ptr<File> open_rw(const fs::path& path, Lock lock = Lock::none) {
  auto file = PosixFileSystem().open(path, {.access = Access::read_write, .lock = lock});
  REQUIRE(file);
  return *file;
}

Errc open_error(const fs::path& path, const FileOptions& options = {}) {
  auto file = PosixFileSystem().open(path, options);
  return file ? Errc::success : file.error().code;
}

Errc beneath_error(const fs::path& root, const fs::path& relative) {
  auto file = PosixFileSystem().open_beneath(root, relative, {});
  return file ? Errc::success : file.error().code;
}

}  // namespace

TEST_CASE("posix file: reads, writes, holes, sizes and zeros") {
  const ScratchFolder scratch;
  put(scratch / "f", "");
  const auto file = open_rw(scratch / "f");
  REQUIRE(file->write_at(mib, bytes(64 * kib, 7)));
  CHECK(*file->size() == mib + 64 * kib);
  const auto hole = file->next_hole(0);
  REQUIRE(hole);
  CHECK(hole->offset == 0);
  CHECK(hole->length == mib);
  CHECK(file->next_hole(mib)->length == 0);
  CHECK(file->next_hole(mib)->offset == mib + 64 * kib);
  CHECK(file->next_hole(mib + 64 * kib)->length == 0);
  CHECK(file->next_hole(~u64{0})->length == 0);
  REQUIRE(file->resize(2 * mib));
  CHECK(file->next_hole(mib + 4 * kib)->offset == mib + 64 * kib);
  CHECK(file->next_hole(mib + 4 * kib)->length == mib - 64 * kib);
  CHECK(file->next_hole(2 * mib - 512)->length == 512);
  REQUIRE(file->resize(mib + 64 * kib));
  CHECK(*file->allocated_size() < mib);

  REQUIRE(file->zero_at(mib + 100, 1000));
  auto out = bytes(1200, 1);
  REQUIRE(file->read_at(mib, out));
  CHECK(out[99] == std::byte{7});
  CHECK(out[100] == std::byte{});
  CHECK(out[1099] == std::byte{});
  CHECK(out[1100] == std::byte{7});

  REQUIRE(file->zero_at(2 * mib, 512));
  CHECK(*file->size() == 2 * mib + 512);
  REQUIRE(file->punch_at(2 * mib, mib));
  CHECK(*file->size() == 2 * mib + 512);
  REQUIRE(file->resize(10));
  CHECK(*file->size() == 10);
  CHECK(file->flush());
}

TEST_CASE("posix file: errors name the file, the action and the place") {
  const ScratchFolder scratch;
  put(scratch / "f", "hello");
  const auto file = open_rw(scratch / "f");
  auto out = bytes(10, 0);
  const auto read = file->read_at(0, out);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::end_of_file);
  CHECK(read.error().message.find((scratch / "f").string() + ": read of 10 bytes at 0x0") == 0);
  CHECK(file->write_at(~u64{0} - 1, out).error().code == Errc::file_system_limit);
  CHECK(file->resize(~u64{0}).error().code == Errc::file_system_limit);
  const auto reader = *PosixFileSystem().open(scratch / "f", {});
  CHECK_FALSE(reader->write_at(0, out));
  CHECK(get(scratch / "f") == "hello");
}

TEST_CASE("posix file: copies between files, in and outside of the kernel") {
  const ScratchFolder scratch;
  put(scratch / "a", std::string(200000, 'a'));
  put(scratch / "b", "");
  const auto a = open_rw(scratch / "a");
  const auto b = open_rw(scratch / "b");
  REQUIRE(b->copy_from(*a, 100, 50, 150000));
  CHECK(get(scratch / "b") == std::string(50, '\0') + std::string(150000, 'a'));
  CHECK_FALSE(b->copy_from(*a, 150000, 0, 100000));
}

TEST_CASE("posix file: locks conflict between handles as readers and writers do") {
  const ScratchFolder scratch;
  put(scratch / "f", "x");
  const auto path = scratch / "f";
  {
    const auto writer = open_rw(path, Lock::exclusive);
    CHECK(open_error(path, {.lock = Lock::shared}) == Errc::busy);
    CHECK(open_error(path, {.access = Access::read_write, .lock = Lock::exclusive}) == Errc::busy);
    CHECK(open_error(path, {.lock = Lock::none}) == Errc::success);
  }
  const auto reader = PosixFileSystem().open(path, {.lock = Lock::shared});
  CHECK(open_error(path, {.lock = Lock::shared}) == Errc::success);
  CHECK(open_error(path, {.access = Access::read_write, .lock = Lock::exclusive}) == Errc::busy);
}

TEST_CASE("K-04: what is not a regular file is refused without blocking") {
  const ScratchFolder scratch;
  REQUIRE(::mkfifo((scratch / "pipe").c_str(), 0600) == 0);
  CHECK(open_error(scratch / "pipe") == Errc::not_regular);
  CHECK(open_error(scratch.path()) == Errc::not_regular);
  CHECK(open_error("/dev/full") == Errc::not_regular);
  CHECK(open_error("/dev/null", {.allow_device = true}) == Errc::not_regular);
  CHECK(open_error(scratch / "nothing") == Errc::file_not_found);
  CHECK(open_error(scratch / std::string(5000, 'x')) == Errc::bad_path);
}

TEST_CASE("E-14, E-15: opening beneath a root never leaves it") {
  const ScratchFolder scratch;
  fs::create_directories(scratch / "root/sub");
  put(scratch / "outside", "x");
  put(scratch / "root/sub/inside", "x");
  fs::create_symlink("../outside", scratch / "root/out");
  fs::create_symlink("/etc/passwd", scratch / "root/absolute");
  fs::create_symlink("sub/inside", scratch / "root/in");
  REQUIRE(::mkfifo((scratch / "root/pipe").c_str(), 0600) == 0);
  const auto root = scratch / "root";
  CHECK(beneath_error(root, "sub/inside") == Errc::success);
  CHECK(beneath_error(root, "sub/../sub/inside") == Errc::success);
  CHECK(beneath_error(root, "in") == Errc::success);
  CHECK(beneath_error(root, "../outside") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "out") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "absolute") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "/etc/passwd") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "pipe") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "sub") == Errc::parent_access_denied);
  CHECK(beneath_error(root, "missing") == Errc::file_not_found);
}

TEST_CASE("a temporary is published without clobbering, or disappears") {
  const ScratchFolder scratch;
  PosixFileSystem file_system;
  const auto target = scratch / "disk.vhdx";
  {
    auto file = file_system.create_beside(target);
    REQUIRE(file);
    CHECK((*file)->name().find(".disk.vhdx.vdisk-tmp-") != std::string::npos);
    CHECK(file_system.list(scratch.path())->size() == 1);
  }
  CHECK(file_system.list(scratch.path())->empty());

  auto first = *file_system.create_beside(target);
  REQUIRE(first->write_at(0, bytes(1, 'a')));
  REQUIRE(file_system.publish(*first, target, false));
  first.reset();
  CHECK(get(target) == "a");

  auto second = *file_system.create_beside(target);
  REQUIRE(second->write_at(0, bytes(1, 'b')));
  CHECK(file_system.publish(*second, target, false).error().code == Errc::file_exists);
  CHECK(get(target) == "a");
  fs::permissions(target, fs::perms(0640));
  REQUIRE(file_system.publish(*second, target, true));
  second.reset();
  CHECK(get(target) == "b");
  CHECK(fs::status(target).permissions() == fs::perms(0640));
  CHECK(file_system.list(scratch.path())->size() == 1);
  CHECK(file_system.create_beside(scratch / "no/such").error().code == Errc::path_not_found);
}

TEST_CASE("K-12: publishing does not follow a link at the target") {
  const ScratchFolder scratch;
  PosixFileSystem file_system;
  fs::create_symlink("nowhere", scratch / "dangling");
  auto file = *file_system.create_beside(scratch / "dangling");
  CHECK(file_system.publish(*file, scratch / "dangling", false).error().code == Errc::file_exists);
  CHECK(file_system.identity(scratch / "dangling"));
  CHECK_FALSE(fs::exists(scratch / "nowhere"));
}

TEST_CASE("names: identity follows links, absolute resolves directories, remove removes") {
  const ScratchFolder scratch;
  PosixFileSystem file_system;
  fs::create_directories(scratch / "real");
  put(scratch / "real/f", "x");
  fs::create_symlink("real", scratch / "link");
  CHECK(*file_system.identity(scratch / "link/f") == *file_system.identity(scratch / "real/f"));
  CHECK(*file_system.absolute(scratch / "link/f") == *file_system.absolute(scratch / "real/f"));
  CHECK(file_system.identity(scratch / "none").error().code == Errc::file_not_found);
  REQUIRE(file_system.remove(scratch / "link/f"));
  CHECK_FALSE(fs::exists(scratch / "real/f"));
  CHECK(file_system.remove(scratch / "real/f").error().code == Errc::file_not_found);
  CHECK(file_system.list(scratch / "none").error().code == Errc::file_not_found);
}
