#include "engine/source_watch.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include <doctest/doctest.h>

#include "io/file_stamp.h"
#include "support/scratch_folder.h"

using namespace vdisk;

namespace {

constexpr i64 second = 1'000'000'000;

i64 now() {
  const auto time = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

/// Files whose stamps the test decides.
struct Stamps {
  std::map<std::filesystem::path, FileStamp> files;
  [[nodiscard]] StampOf function() {
    return [this](const std::filesystem::path& path) -> Result<FileStamp> {
      if (!files.contains(path)) return fail(Errc::file_not_found, path.string());
      return files[path];
    };
  }
  void touch(const std::filesystem::path& path, i64 nanoseconds) {
    files[path].modified_nanoseconds = nanoseconds;
  }
};

struct Age {
  i64 nanoseconds;
  bool accepted;
};

bool changed(const SourceWatch& watch) {
  return watch.has_changed(watch.look().value());
}

}  // namespace

TEST_CASE("everything that was not accepted is a change") {
  Stamps stamps;
  stamps.touch("a", second);
  stamps.touch("b", second);
  SourceWatch watch(stamps.function());
  watch.watch({"a", "b"});
  CHECK(changed(watch));
  watch.accept(watch.look().value(), true);
  CHECK_FALSE(changed(watch));
  stamps.files["b"].size = 1;
  CHECK(changed(watch));
  watch.accept(watch.look().value(), true);
  stamps.files["a"].id.inode = 7;
  CHECK(changed(watch));
  watch.accept(watch.look().value(), true);
  stamps.files["a"].changed_nanoseconds = 5;
  CHECK(changed(watch));
  watch.accept(watch.look().value(), true);
  CHECK_FALSE(changed(watch));
  watch.watch({"a", "b"});
  CHECK_FALSE(changed(watch));
  watch.watch({"a"});
  CHECK(changed(watch));
  stamps.files.clear();
  CHECK(watch.look().error().code == Errc::file_not_found);
}

TEST_CASE("a stamp within a tick of the clock is not accepted") {
  const i64 present = now();
  Stamps stamps;
  SourceWatch watch(stamps.function());
  watch.watch({"a"});
  for (const auto& [age, accepted] :
       {Age{0, false}, Age{second / 100, false}, Age{60 * second, true}, Age{-60 * second, true}}) {
    i64 moment = present - age;
    if (moment % second == 0) ++moment;
    stamps.touch("a", moment);
    watch.accept(watch.look().value(), false);
    CHECK_MESSAGE(changed(watch) != accepted, age);
  }
}

TEST_CASE("clocks that count seconds have longer ticks") {
  SourceWatch::Look look{.stamps = {FileStamp{.modified_nanoseconds = 1000 * second}}};
  CHECK(look.young_at(1001 * second));
  CHECK_FALSE(look.young_at(1002 * second));
  look.stamps[0].changed_nanoseconds = 1000 * second + 1;
  CHECK(look.young_at(1000 * second + second / 20));
  CHECK_FALSE(look.young_at(1001 * second));
}

TEST_CASE("a look that is young is good enough if nobody could change anything until it was over") {
  Stamps stamps;
  SourceWatch watch(stamps.function());
  watch.watch({"a"});
  const i64 moment = now() - second / 2 + 1;
  stamps.touch("a", moment % second == 0 ? moment + 1 : moment);
  auto look = watch.look().value();
  look.nanoseconds = moment + 1;  // it was looked at then, and locked from then on
  watch.accept(look, false);
  CHECK(changed(watch));
  watch.accept(look, true);
  CHECK_FALSE(changed(watch));
}

TEST_CASE("the host's stamp of a file") {
  const test::ScratchFolder folder;
  const auto path = folder.path() / "a";
  CHECK(host_stamp(path).error().code == Errc::file_not_found);
  std::ofstream(path) << "1";
  const auto first = host_stamp(path);
  REQUIRE(first);
  CHECK(first->size == 1);
  CHECK(first->modified_nanoseconds > now() - 60 * second);
  CHECK(first->id.inode != 0);
  CHECK(host_stamp(path).value() == *first);
  std::filesystem::last_write_time(
      path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  const auto second_look = host_stamp(path);
  REQUIRE(second_look);
  CHECK(second_look->modified_nanoseconds < first->modified_nanoseconds);
  CHECK(second_look->id == first->id);
}
