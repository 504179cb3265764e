/// follow: a copy of an image that others write, between their uses of it.
#include <functional>
#include <string_view>

#include "mirror_cases.h"
#include "resize_subtypes.h"
#include "support/canceling_progress.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 disk_size = 6 * mib;

/// Stamps of files in memory: a new one whenever the bytes are others. Far from any clock's
/// present.
StampOf stamps_in(const MemoryPlace& place) {
  return [files = place.files](const std::filesystem::path& path) -> Result<FileStamp> {
    const auto file = files->open(path, {});
    if (!file) return std::unexpected(file.error());
    std::vector<std::byte> bytes((*file)->size().value());
    if (auto status = (*file)->read_at(0, bytes); !status) return std::unexpected(status.error());
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto digest = static_cast<i64>(std::hash<std::string_view>()(text) % 1'000'000'007);
    return FileStamp{
        .id = (*file)->identity().value(), .size = bytes.size(), .modified_nanoseconds = digest};
  };
}

/// A source that is closed, and its mirror.
class Followed {
 public:
  explicit Followed(const Subtype& subtype = {"vhdx"}, const std::string& extension = "vhdx")
      : path(make(place, subtype, disk_size)) {
    options.source = path;
    options.target = copy_target(extension);
    options.open = place.options();
    options.interval = std::chrono::milliseconds(1);
    options.stamp_of = stamps_in(place);
    write(0, 1);
  }

  void write(u64 offset, int value) const {
    write_and_close(place, path, offset, filled(64 * kib, value));
  }
  void start() {
    auto started = Job<CreatedDisk>::start(
        [this](Progress& progress) { return follow(options, mirror_switch, progress); });
    job.emplace(std::move(started.value()));
    wait_until_in_step(*job, mirror_switch);
  }
  Result<CreatedDisk> break_off() {
    mirror_switch.break_mirror();
    return std::move(*job).wait();
  }
  [[nodiscard]] MirrorState state() const { return mirror_switch.state(); }
  /// The source was looked at, and everything is copied, since somebody wrote.
  void wait_for_copies_beyond(u64 bytes) const {
    wait_until([&] { return state().in_step && state().copied_bytes > bytes; });
  }

  MemoryPlace place;
  std::filesystem::path path;
  FollowOptions options;
  MirrorSwitch mirror_switch;
  std::optional<Job<CreatedDisk>> job;
};

void check_equal(const Followed& followed, const Result<CreatedDisk>& created) {
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(content(followed.place.open(created->path)) == content(followed.place.open(followed.path)));
  CHECK(followed.place.check(created->path).clean());
}

}  // namespace

TEST_CASE("a source that others write is caught up with, and is free in between") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    Followed followed(subtype);
    followed.start();
    const auto status = followed.job->status();
    CHECK(status.operation_status == Errc::pending);
    CHECK(status.current_value == status.completion_value);
    for (int turn = 0; turn < 3; ++turn) {
      const u64 before = followed.state().copied_bytes;
      wait_until([&] {  // the mirror may be looking at it
        auto disk = Disk::open(followed.path, followed.place.options(Access::read_write));
        if (!disk) return false;
        must(disk->write(static_cast<u64>(turn + 1) * mib, filled(4096, turn + 2)));
        must(disk->zero(0, 32 * kib));
        must(disk->close());
        return true;
      });
      followed.wait_for_copies_beyond(before);
    }
    check_equal(followed, followed.break_off());
    CHECK_FALSE(followed.state().behind);
  }
}

TEST_CASE("only what differs is copied") {
  Followed followed;
  followed.start();
  const u64 first = followed.state().copied_bytes;
  CHECK(first == 64 * kib);
  wait_until([&] {
    auto disk = Disk::open(followed.path, followed.place.options(Access::read_write));
    if (!disk) return false;
    must(disk->write(3 * mib, filled(512, 7)));
    must(disk->close());
    return true;
  });
  followed.wait_for_copies_beyond(first);
  CHECK(followed.state().copied_bytes == first + 4096);
  check_equal(followed, followed.break_off());
}

TEST_CASE("breaking it off catches up once more") {
  Followed followed;
  followed.options.interval = std::chrono::hours(1);
  followed.start();
  followed.write(2 * mib, 9);
  const auto created = followed.break_off();
  check_equal(followed, created);
  CHECK(read(followed.place.open(created->path), 2 * mib, 512) == filled(512, 9));
  CHECK_FALSE(followed.state().behind);
}

TEST_CASE("while somebody writes the source, the copy is the last one that was in step") {
  Followed followed;
  followed.options.interval = std::chrono::hours(1);
  followed.start();
  auto disk = followed.place.open(followed.path, Access::read_write);
  must(disk.write(2 * mib, filled(4096, 9)));
  must(disk.flush());
  const auto created = followed.break_off();
  REQUIRE_MESSAGE(created, created.error().message);
  const auto state = followed.state();
  CHECK(state.behind);
  CHECK(state.why_behind.find("in use") != std::string::npos);
  CHECK(read(followed.place.open(created->path), 2 * mib, 4096) == filled(4096, 0));
  CHECK(read(followed.place.open(created->path), 0, 512) == filled(512, 1));
  CHECK(followed.place.check(created->path).clean());
  must(disk.close());
}

TEST_CASE("a source that is in use for a while is caught up with afterwards") {
  Followed followed;
  followed.start();
  const u64 before = followed.state().copied_bytes;
  {
    std::optional<Disk> disk;
    wait_until([&] {
      auto opened = Disk::open(followed.path, followed.place.options(Access::read_write));
      if (opened) disk = *std::move(opened);
      return disk.has_value();
    });
    must(disk->write(2 * mib, filled(4096, 9)));
    must(disk->flush());
    wait_until([&] { return followed.state().behind; });
    CHECK_FALSE(followed.state().in_step);
    must(disk->close());
  }
  followed.wait_for_copies_beyond(before);
  CHECK_FALSE(followed.state().behind);
  check_equal(followed, followed.break_off());
}

TEST_CASE("a source that vanishes leaves the copy of what it was") {
  Followed followed;
  const auto before = content(followed.place.open(followed.path));
  followed.start();
  must(followed.place.files->remove(followed.path));
  wait_until([&] { return followed.state().behind; });
  const auto created = followed.break_off();
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(followed.state().behind);
  CHECK(content(followed.place.open(created->path)) == before);
}

TEST_CASE("another disk in the source's place ends it with an error") {
  for (const bool same_size : {true, false}) {
    CAPTURE(same_size);
    Followed followed;
    followed.start();
    Target other;
    other.replace = true;
    followed.place.create(followed.path.filename(), same_size ? disk_size : disk_size + mib, other);
    const auto ended = std::move(*followed.job).wait();
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == Errc::disk_id_mismatch);
    CHECK(ended.error().message.find(followed.path.string()) != std::string::npos);
    CHECK(nothing_left(followed.place));
  }
}

TEST_CASE("P13: following that is canceled at any step leaves nothing") {
  Followed followed;
  const u64 steps = cancel_at_every_step(
      [&](Progress& progress) {
        const MirrorSwitch mirror_switch;
        mirror_switch.break_mirror();
        return follow(followed.options, mirror_switch, progress);
      },
      [&] { CHECK(nothing_left(followed.place)); });
  CHECK(steps > 3);
  must(followed.place.open(followed.path, Access::read_write).close());  // nobody holds it
}

TEST_CASE("P12: a cancel ends following, and leaves nothing") {
  Followed followed;
  followed.start();
  CHECK(followed.job->cancel() == Errc::canceled);
  const auto ended = std::move(*followed.job).wait();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == Errc::canceled);
  CHECK(nothing_left(followed.place));
}

TEST_CASE("what following refuses") {
  const Followed followed;
  Progress progress;
  const MirrorSwitch mirror_switch;
  const auto outcome = [&](const FollowOptions& options) {
    return follow(options, mirror_switch, progress).error().code;
  };
  auto options = followed.options;
  options.target.path = followed.path;
  CHECK(outcome(options) == Errc::same_file);
  options = followed.options;
  options.stamp_of = {};
  CHECK(outcome(options) == Errc::invalid_argument);
  options = followed.options;
  options.source = "/disks/missing.vhdx";
  CHECK(outcome(options) == Errc::file_not_found);
  options = followed.options;
  options.size = disk_size - 512;
  CHECK(outcome(options) == Errc::invalid_argument);
  const auto writer = followed.place.open(followed.path, Access::read_write);
  CHECK(outcome(followed.options) == Errc::busy);
}
