#include "io/file_attributes.h"

#include <fstream>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "io/posix_filesystem.h"
#include "support/scratch_folder.h"

using namespace vdisk;
namespace fs = std::filesystem;

namespace {

void replace(const fs::path& path) {
  PosixFileSystem files;
  const auto file = files.create_beside(path);
  REQUIRE(file);
  REQUIRE((*file)->write_at(0, std::as_bytes(std::span("new", 3))));
  REQUIRE(files.publish(**file, path, true));
}

struct stat status_of(const fs::path& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status;
}

}  // namespace

TEST_CASE("a replaced file keeps owner, group, permissions and extended attributes") {
  const test::ScratchFolder folder;
  const fs::path path = folder.path() / "disk.vhdx";
  std::ofstream(path) << "old content";
  const bool may_give_away = ::geteuid() == 0;
  if (may_give_away) REQUIRE(::chown(path.c_str(), 65534, 1) == 0);
  REQUIRE(::chmod(path.c_str(), 0641) == 0);
  constexpr std::string_view value = "kept";
  const bool has_attributes =
      ::setxattr(path.c_str(), "user.note", value.data(), value.size(), 0) == 0;
  const auto before = status_of(path);
  replace(path);
  const auto after = status_of(path);
  CHECK(after.st_ino != before.st_ino);
  CHECK(after.st_size == 3);
  CHECK(after.st_mode == before.st_mode);
  CHECK(after.st_uid == before.st_uid);
  CHECK(after.st_gid == before.st_gid);
  CHECK(after.st_uid == (may_give_away ? 65534U : ::geteuid()));
  std::string found(64, '\0');
  const auto length = ::getxattr(path.c_str(), "user.note", found.data(), found.size());
  found.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  CHECK(found == (has_attributes ? value : ""));
}

TEST_CASE("keeping the attributes of a file that is not there changes nothing") {
  const test::ScratchFolder folder;
  const fs::path path = folder.path() / "new.vhdx";
  replace(path);
  CHECK(status_of(path).st_uid == ::geteuid());
}
