/// HOSTILE E-14: names that change while a parent is opened. Whatever the moment, what was opened
/// lies below the root, or nothing was.
#include <atomic>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdio.h>

#include "io/posix_filesystem.h"
#include "support/scratch_folder.h"
#include "syscalls/interposed.h"

using namespace vdisk;
using test::ScratchFolder;
using test::TroubledSyscalls;

namespace {

namespace fs = std::filesystem;

constexpr int openings = 3000;

void put(const fs::path& path, char content) {
  const auto file = PosixFileSystem().create_beside(path);
  REQUIRE(file);
  const auto byte = static_cast<std::byte>(content);
  REQUIRE((*file)->write_at(0, std::span(&byte, 1)));
  REQUIRE(PosixFileSystem().publish(**file, path, false));
}

/// Two names change places again and again.
class Swapper {
 public:
  Swapper(fs::path a, fs::path b)
      : a_(std::move(a)), b_(std::move(b)), thread_([this] {
          while (!ended_) {
            if (::renameat2(AT_FDCWD, a_.c_str(), AT_FDCWD, b_.c_str(), RENAME_EXCHANGE) == 0) {
              ++swaps_;
            }
          }
        }) {}
  ~Swapper() {
    ended_ = true;
    thread_.join();
  }
  Swapper(const Swapper&) = delete;
  Swapper& operator=(const Swapper&) = delete;

  [[nodiscard]] int swaps() const { return swaps_; }

 private:
  const fs::path a_;
  const fs::path b_;
  std::atomic<bool> ended_ = false;
  std::atomic<int> swaps_ = 0;
  std::thread thread_;
};

/// Opens again and again; what was read when it succeeded is 'i' for inside.
void open_often(const fs::path& root, const fs::path& relative, const Swapper& swapper) {
  PosixFileSystem files;
  int opened = 0;
  for (int count = 0; count < openings || swapper.swaps() < openings; ++count) {
    const auto file = files.open_beneath(root, relative, {});
    if (!file) {
      const Errc code = file.error().code;
      const bool expected = code == Errc::parent_access_denied || code == Errc::file_not_found ||
                            code == Errc::path_not_found || code == Errc::access_denied ||
                            code == Errc::busy;
      if (!expected) FAIL_CHECK(file.error().message);
      continue;
    }
    std::byte content{};
    REQUIRE((*file)->read_at(0, std::span(&content, 1)));
    REQUIRE(static_cast<char>(content) == 'i');
    ++opened;
  }
  CHECK(opened > 0);
}

/// root/parent and root/folder are swapped with links that lead outside.
void race() {
  const ScratchFolder scratch;
  const auto root = scratch / "root";
  fs::create_directories(root / "folder");
  fs::create_directories(scratch / "outside");
  put(root / "parent", 'i');
  put(root / "folder" / "parent", 'i');
  put(scratch / "outside/parent", 'o');
  fs::create_symlink("../outside/parent", root / "link");
  fs::create_symlink("../outside", root / "folder-link");
  {
    const Swapper swapper(root / "parent", root / "link");
    open_often(root, "parent", swapper);
  }
  const Swapper swapper(root / "folder", root / "folder-link");
  open_often(root, "folder/parent", swapper);
}

}  // namespace

TEST_CASE("E-14: a parent swapped for a link while it is opened") {
  race();
}

TEST_CASE("E-14: the same on kernels without openat2") {
  const TroubledSyscalls troubled({.no_openat2 = true});
  race();
}

TEST_CASE("E-14: a folder that moves in and out while `..` leads through it") {
  const ScratchFolder scratch;
  const auto root = scratch / "root";
  fs::create_directories(root / "a/b");
  fs::create_directories(scratch / "outside/deep");
  put(root / "parent", 'i');
  put(root / "a/parent", 'i');
  put(scratch / "outside/parent", 'o');
  put(scratch / "parent", 'o');
  const Swapper swapper(root / "a/b", scratch / "outside/deep");
  open_often(root, "a/b/../parent", swapper);
}
