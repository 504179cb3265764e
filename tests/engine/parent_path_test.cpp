#include "engine/parent_path.h"

#include <algorithm>

#include <doctest/doctest.h>

using namespace vdisk;

namespace {

ParentCandidates candidates(const std::string& kind, const std::string& path,
                            const OpenOptions& options = {}) {
  return parent_candidates({{}, {{kind, path}}, {}}, "/images/vm", options);
}

bool has_place(const ParentCandidates& found, const std::string& path) {
  return std::ranges::any_of(found.places, [&](const ParentCandidate& place) {
    return (place.root / place.relative).lexically_normal() == path;
  });
}

}  // namespace

TEST_CASE("a relative path is looked for below the child's directory") {
  for (const std::string kind : {"relative_path", "W2ru", "Wi2r"}) {
    CHECK(has_place(candidates(kind, ".\\base.vhdx"), "/images/vm/base.vhdx"));
    CHECK(has_place(candidates(kind, "sub\\base.vhdx"), "/images/vm/sub/base.vhdx"));
    CHECK(has_place(candidates(kind, "sub\\..\\base.vhdx"), "/images/vm/base.vhdx"));
  }
}

TEST_CASE("HOSTILE VHD-67, VHDX-99: paths that lead elsewhere are refused, not followed") {
  const std::string kinds[] = {"relative_path", "W2ru"};
  const std::string hostile[] = {"/etc/passwd",
                                 "..\\..\\etc\\passwd",
                                 "\\\\server\\share\\base.vhd",
                                 "\\\\.\\PhysicalDrive0",
                                 "C:\\base.vhd",
                                 "http://host/base.vhd",
                                 "/dev/zero",
                                 "/proc/self/mem",
                                 "nbd:localhost:10809",
                                 "",
                                 "..\\C:\\base.vhd",
                                 ".\\C:\\..\\..\\base.vhd",
                                 "..\\base.vhd"};
  for (const auto& kind : kinds) {
    for (const auto& path : hostile) {
      CAPTURE(path);
      const auto found = candidates(kind, path);
      CHECK(found.places.empty());
      CHECK(found.refused.size() == 1);
    }
  }
}

TEST_CASE("a malformed path is refused whatever it looks like") {
  const auto found = parent_candidates({{}, {{"W2ru", ".\\base.vhd", false}}, {}}, "/images", {});
  CHECK(found.places.empty());
  CHECK(found.refused.size() == 1);
}

TEST_CASE("an absolute Windows path gives the bare name beside the child") {
  CHECK(has_place(candidates("W2ku", "C:\\Users\\me\\win8.vhd"), "/images/vm/win8.vhd"));
  CHECK(has_place(candidates("absolute_win32_path", "\\\\?\\d:\\disks\\p.vhdx"),
                  "/images/vm/p.vhdx"));
  CHECK(has_place(candidates("volume_path", "\\\\?\\Volume{26A21BDA}\\dir\\p.vhdx"),
                  "/images/vm/p.vhdx"));
}

TEST_CASE("shares and devices in absolute paths are refused") {
  for (const std::string path : {"\\\\?\\UNC\\server\\share\\p.vhdx", "\\\\server\\share\\p.vhdx",
                                 "\\\\.\\PhysicalDrive0"}) {
    CAPTURE(path);
    CHECK(candidates("absolute_win32_path", path).places.empty());
    CHECK(candidates("W2ku", path).refused.size() == 1);
  }
}

TEST_CASE("file URLs of Mac OS locators are local paths under the same rules") {
  CHECK(has_place(candidates("MacX", "file://./base.vhd"), "/images/vm/base.vhd"));
  CHECK(
      has_place(candidates("MacX", "file://localhost/images/vm/base.vhd"), "/images/vm/base.vhd"));
  CHECK(candidates("MacX", "http://host/base.vhd").refused.size() == 1);
}

TEST_CASE("the stored parent name is a bare name") {
  CHECK(has_place(candidates("parent_name", "C:\\dir\\base.vhd"), "/images/vm/base.vhd"));
  CHECK_FALSE(has_place(candidates("parent_name", "/etc/passwd"), "/etc/passwd"));
}

TEST_CASE("a path whose last word is `..` names no file beside the child") {
  OpenOptions options;
  options.parent_roots = {"/store", "/images"};
  for (const auto& [kind, path] : {std::pair{"W2ku", "C:\\dir\\.."},
                                   {"absolute_win32_path", "\\\\?\\d:\\.."},
                                   {"volume_path", "\\\\?\\Volume{26A21BDA}\\.."},
                                   {"parent_name", "dir\\.."},
                                   {"parent_name", ".."},
                                   {"MacX", "file:///elsewhere/.."}}) {
    CAPTURE(path);
    const auto found = candidates(kind, path, options);
    CHECK(found.places.empty());
    CHECK(found.refused.size() == 1);
  }
}

TEST_CASE("what follows a mapped part must stay below it") {
  OpenOptions options;
  options.parent_map = {{"D:\\disks", "/srv/disks"}};
  for (const std::string path :
       {"D:\\disks\\..\\secret.vhd", "D:\\disks\\a\\..\\..\\..\\secret.vhd", "D:\\disks\\.."}) {
    CAPTURE(path);
    const auto found = candidates("W2ku", path, options);
    CHECK(found.places.empty());
    CHECK(found.refused.size() == 1);
  }
}

TEST_CASE("roots widen where a parent may lie") {
  OpenOptions options;
  options.parent_roots = {"/images"};
  CHECK(has_place(candidates("relative_path", "..\\base.vhdx", options), "/images/base.vhdx"));
  CHECK(candidates("relative_path", "..\\..\\base.vhdx", options).places.empty());
  CHECK(has_place(candidates("relative_path", ".\\base.vhdx", options), "/images/base.vhdx"));
}

TEST_CASE("a path map replaces the leading part and is trusted as a root") {
  OpenOptions options;
  options.parent_map = {{"D:\\disks", "/srv/disks"}};
  const auto found = candidates("absolute_win32_path", "D:\\disks\\a\\base.vhdx", options);
  REQUIRE(found.places.size() == 1);
  CHECK(found.places[0].root == "/srv/disks");
  CHECK(found.places[0].relative == "a/base.vhdx");
}

TEST_CASE("a path map replaces whole components") {
  OpenOptions options;
  for (const std::string from : {"D:\\VM", "D:\\VM\\", "D:", "D:\\"}) {
    options.parent_map = {{from, "/srv"}};
    CAPTURE(from);
    CHECK(candidates("W2ku", "D:\\VM\\b.vhd", options).places.front().root == "/srv");
  }
  options.parent_map = {{"D:\\VM", "/srv/vm"}, {"D:\\VMs", "/srv/vms"}};
  const auto found = candidates("W2ku", "D:\\VMs\\b.vhd", options);
  REQUIRE(found.places.size() == 1);
  CHECK(found.places[0].root == "/srv/vms");
  CHECK(found.places[0].relative == "b.vhd");
  options.parent_map.pop_back();
  CHECK(has_place(candidates("W2ku", "D:\\VMs\\b.vhd", options), "/images/vm/b.vhd"));
  options.parent_map = {{"/srv/a", "/other"}};
  CHECK(candidates("MacX", "/srv/ab/b.vhd", options).places.empty());
}

TEST_CASE("relative paths are written in the way of Windows") {
  CHECK(windows_relative_path("/images/vm", "/images/vm/base.vhdx") == ".\\base.vhdx");
  CHECK(windows_relative_path("/images/vm", "/images/base.vhdx") == "..\\base.vhdx");
  CHECK(windows_relative_path("/images", "/images/vm/a/b.vhdx") == ".\\vm\\a\\b.vhdx");
  CHECK(windows_relative_path("/images", "/images/..b.vhdx") == ".\\..b.vhdx");
}

TEST_CASE("what is written of a path leads back to it, or is not written") {
  OpenOptions options;
  options.parent_roots = {"/images"};
  for (const std::string file : {"10:30.vhdx", "C:x.vhdx", "..a:b.vhdx", "a b.vhdx", "nbd:x:1",
                                 "\u00fc.vhdx", "*?\"<>|.vhdx"}) {
    for (const std::string directory :
         {"/images/vm/", "/images/", "/images/a:b/", "/images/vm/c:/"}) {
      CAPTURE(directory + file);
      const auto written = windows_relative_path("/images/vm", directory + file);
      REQUIRE(written);
      for (const std::string kind : {"relative_path", "W2ru", "W2ku"}) {
        const auto found = candidates(kind, *written, options);
        REQUIRE(!found.places.empty());
        const auto& first = found.places.front();
        CHECK((first.root / first.relative).lexically_normal() == directory + file);
      }
    }
  }
  CHECK(windows_relative_path("/images", "/images/a\\b.vhdx").error().code == Errc::bad_path);
  CHECK(windows_relative_path("/images", "/images/a\\b/c.vhdx").error().code == Errc::bad_path);
  CHECK(windows_relative_path("/images/a\\b", "/images/a\\b/c.vhdx") == ".\\c.vhdx");
}
