/// mirror: in step, broken off, canceled, refused, on storage that fails.
#include "vdisk/mirror.h"

#include <atomic>
#include <optional>

#include "engine/disk_core.h"
#include "mirror_cases.h"
#include "resize_subtypes.h"
#include "support/canceling_progress.h"
#include "support/fault_file.h"
#include "support/substitute_filesystem.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 disk_size = 6 * mib;

/// Temporaries that can be made to fail.
class FailingTargets : public SubstituteFileSystem {
 public:
  explicit FailingTargets(std::shared_ptr<FileSystem> inner, std::optional<Fault> fault = {})
      : SubstituteFileSystem(std::move(inner), {}, {}), fault_(fault) {}
  Result<std::shared_ptr<File>> create_beside(const std::filesystem::path& target) override {
    auto made = SubstituteFileSystem::create_beside(target);
    if (!made) return made;
    auto file = std::make_shared<FaultFile>(*std::move(made));
    if (fault_) file->inject(*fault_);
    last_ = file;
    return file;
  }
  /// While nobody uses it.
  void inject(const Fault& fault) const { last_.lock()->inject(fault); }

 private:
  std::optional<Fault> fault_;
  std::weak_ptr<FaultFile> last_;
};

/// A disk with data at both ends, open for writing.
struct Source {
  explicit Source(const Subtype& subtype = {"vhdx"}, u64 size = disk_size)
      : path(make(place, subtype, size)), disk(place.open(path, Access::read_write)) {
    must(disk.write(0, filled(8192, 1)));
    must(disk.write(size - 4096, filled(4096, 2)));
  }
  MemoryPlace place;
  std::filesystem::path path;
  Disk disk;
};

MirrorOptions options_for(const Source& source, const std::string& extension = "vhdx") {
  return {.target = copy_target(extension), .file_system = source.place.files};
}

Result<CreatedDisk> run_broken(Source& source, const MirrorOptions& options) {
  const MirrorSwitch mirror_switch;
  mirror_switch.break_mirror();
  Progress progress;
  return mirror(source.disk, options, mirror_switch, progress);
}

}  // namespace

TEST_CASE("P12: in step a mirror is pending, and ends when it is broken off") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    Source source(subtype);
    const MirrorSwitch mirror_switch;
    auto job = start_mirror(source.place, source.disk, copy_target("vhdx"), mirror_switch);
    wait_until_in_step(job, mirror_switch);
    CHECK_FALSE(job.wait_for(std::chrono::milliseconds(5)).has_value());
    const auto status = job.status();
    CHECK(status.operation_status == Errc::pending);
    CHECK(status.current_value == status.completion_value);
    CHECK(job.query_status().percent == 99);
    CHECK_FALSE(source.place.files->identity(copy_target("vhdx").path));

    must(source.disk.write(2 * mib, filled(4096, 3)));
    must(source.disk.zero(0, 4096));
    wait_until_in_step(job, mirror_switch);
    CHECK(job.status().operation_status == Errc::pending);
    must(source.disk.write(4 * mib, filled(4096, 4)));
    mirror_switch.break_mirror();
    const auto created = std::move(job).wait();
    REQUIRE_MESSAGE(created, created.error().message);
    CHECK(created->path == copy_target("vhdx").path);
    CHECK(created->virtual_size == disk_size);
    CHECK(content(source.place.open(created->path)) == content(source.disk));
    CHECK(source.place.check(created->path).clean());
    CHECK_FALSE(mirror_switch.in_step());
    must(source.disk.write(0, filled(4096, 5)));
    must(source.disk.close());
  }
}

TEST_CASE("a mirror that is broken off before it is in step completes the first copy") {
  for (const std::string extension : {"raw", "vhd", "vhdx"}) {
    CAPTURE(extension);
    Source source;
    const auto created = run_broken(source, options_for(source, extension));
    REQUIRE_MESSAGE(created, created.error().message);
    CHECK(content(source.place.open(created->path)) == content(source.disk));
    CHECK(source.place.check(created->path).clean());
  }
}

TEST_CASE("P12: a cancel ends a mirror that is in step, and leaves nothing") {
  Source source;
  for (int turn = 0; turn < 3; ++turn) {
    const MirrorSwitch mirror_switch;
    auto job = start_mirror(source.place, source.disk, copy_target("vhdx"), mirror_switch);
    wait_until_in_step(job, mirror_switch);
    const auto start = std::chrono::steady_clock::now();
    CHECK(job.cancel() == Errc::canceled);
    const auto ended = std::move(job).wait();
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == Errc::canceled);
    CHECK(nothing_left(source.place));
    must(source.disk.write(0, filled(512, turn)));
  }
  must(source.disk.close());
}

TEST_CASE("P13: a mirror that is canceled at any step leaves nothing, and the source goes on") {
  Source source;
  int turn = 0;
  const u64 steps = cancel_at_every_step(
      [&](Progress& progress) {
        const MirrorSwitch mirror_switch;
        mirror_switch.break_mirror();
        return mirror(source.disk, options_for(source), mirror_switch, progress);
      },
      [&] {
        CHECK(nothing_left(source.place));
        must(source.disk.write(mib, filled(512, ++turn)));
      });
  CHECK(steps > 3);
  CHECK(content(source.place.open(copy_target("vhdx").path)) == content(source.disk));
}

TEST_CASE("a change is copied although the mirror came by while it was made") {
  const MemoryPlace place;
  const MirrorSwitch mirror_switch;
  std::atomic<bool> waiting = false;
  place.files->observe([&](const File&, const Change& change) {
    if (change.kind != Change::Kind::write || !waiting.exchange(false)) return;
    wait_until([&] { return mirror_switch.in_step(); });
  });
  auto disk = place.open(place.create("a.raw", disk_size), Access::read_write);
  auto job = start_mirror(place, disk, copy_target("raw"), mirror_switch);
  wait_until_in_step(job, mirror_switch);
  waiting = true;
  must(disk.write(mib, filled(512, 1)));
  mirror_switch.break_mirror();
  const auto created = std::move(job).wait();
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(read(place.open(created->path), mib, 512) == filled(512, 1));
}

TEST_CASE("in the last round changes are held, and reads are not") {
  const MemoryPlace place;
  auto disk = place.open(place.create("a.raw", disk_size), Access::read_write);
  must(disk.write(0, filled(4096, 1)));
  auto& changes = DiskAccess::core(disk).changes;
  const auto targets = std::make_shared<WatchedFileSystem>(place.files);
  std::vector<ChangeWatch::Entry> entries;
  targets->observe([&](const File&, const Change& change) {
    if (change.kind != Change::Kind::write) return;
    if (entries.empty()) must(disk.write(mib, filled(512, 2)));  // behind the first copy's back
    entries.push_back(changes.enter());
    if (entries.back() != ChangeWatch::Entry::refused) changes.leave(entries.back(), 0, 0);
    CHECK(read(disk, mib, 512) == filled(512, 2));
  });
  const MirrorSwitch mirror_switch;
  mirror_switch.break_mirror();
  Progress progress;
  const auto created =
      mirror(disk, {.target = copy_target("raw"), .file_system = targets}, mirror_switch, progress);
  REQUIRE_MESSAGE(created, created.error().message);
  REQUIRE(entries.size() >= 2);
  CHECK(entries.front() == ChangeWatch::Entry::watched);
  CHECK(entries.back() == ChangeWatch::Entry::refused);
  CHECK(content(place.open(created->path)) == content(disk));
  must(disk.write(0, filled(512, 3)));
}

TEST_CASE("E-01 .. E-04: a target that fails ends the mirror with its error, not the source") {
  for (const FaultyCall call : {FaultyCall::write, FaultyCall::resize, FaultyCall::flush}) {
    CAPTURE(static_cast<int>(call));
    int failed = 0;
    for (u64 index = 0; index < 12; ++index) {
      Source source;
      auto options = options_for(source);
      options.file_system = std::make_shared<FailingTargets>(
          source.place.files, Fault{.call = call, .index = index, .code = Errc::no_space});
      const auto created = run_broken(source, options);
      REQUIRE_FALSE(created);  // the memory file system does not publish a foreign file
      if (created.error().code == Errc::no_space) ++failed;
      CHECK(nothing_left(source.place));
      must(source.disk.write(0, filled(512, 7)));
      must(source.disk.close());
    }
    CHECK(failed > 0);
  }
}

TEST_CASE("a target that fails later ends a mirror that was in step") {
  for (const std::string extension : {"raw", "vhdx"}) {
    CAPTURE(extension);
    Source source;
    const MirrorSwitch mirror_switch;
    const auto targets = std::make_shared<FailingTargets>(source.place.files);
    auto options = options_for(source, extension);
    options.file_system = targets;
    auto job = Job<CreatedDisk>::start(
        [&](Progress& progress) { return mirror(source.disk, options, mirror_switch, progress); });
    REQUIRE(job);
    wait_until_in_step(*job, mirror_switch);
    targets->inject({.call = FaultyCall::write, .for_ever = true});
    must(source.disk.write(mib, filled(512, 3)));
    const auto ended = std::move(*job).wait();
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == Errc::io);
    CHECK_FALSE(mirror_switch.in_step());
    CHECK(nothing_left(source.place));
    must(source.disk.write(mib, filled(512, 4)));
    must(source.disk.close());
  }
}

TEST_CASE("a source that cannot be read ends the mirror, not its writers") {
  const MemoryPlace place;
  const auto path = place.create("a.raw", disk_size);
  const auto file =
      std::make_shared<FaultFile>(place.files->open(path, {.access = Access::read_write}).value());
  OpenOptions open = place.options(Access::read_write);
  open.file_system = std::make_shared<SubstituteFileSystem>(place.files, path, file);
  auto disk = Disk::open(path, open);
  REQUIRE(disk);
  must(disk->write(0, filled(disk_size, 1)));
  file->inject({.call = FaultyCall::read, .index = 5, .for_ever = true});
  const MirrorSwitch mirror_switch;
  mirror_switch.break_mirror();
  Progress progress;
  const MirrorOptions options{.target = copy_target("vhdx"), .file_system = place.files};
  const auto ended = mirror(*disk, options, mirror_switch, progress);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == Errc::io);
  CHECK(nothing_left(place));
  must(disk->write(0, filled(512, 2)));
  must(disk->close());
}

TEST_CASE("what a mirror refuses, before anything is written") {
  Source source;
  auto options = options_for(source);
  options.target.path = source.path;
  CHECK(run_broken(source, options).error().code == Errc::same_file);
  source.place.create("copy.vhdx", mib);
  CHECK(run_broken(source, options_for(source)).error().code == Errc::file_exists);
  options = options_for(source, "raw");
  options.size = disk_size - 4096;
  CHECK(run_broken(source, options).error().code == Errc::invalid_argument);
  options = options_for(source);
  options.target.replace = true;
  CHECK(run_broken(source, options));
}

TEST_CASE("one mirror at a time, and no close meanwhile") {
  Source source;
  const MirrorSwitch mirror_switch;
  auto job = start_mirror(source.place, source.disk, copy_target("vhdx"), mirror_switch);
  wait_until_in_step(job, mirror_switch);
  CHECK(run_broken(source, options_for(source, "raw")).error().code == Errc::operation_in_progress);
  CHECK(source.disk.close().error().code == Errc::operation_in_progress);
  must(source.disk.write(0, filled(512, 3)));
  mirror_switch.break_mirror();
  CHECK(std::move(job).wait());
  must(source.disk.close());
}

TEST_CASE("a larger target, and a source that is opened read-only") {
  Source source({"vhd"});
  must(source.disk.close());
  auto disk = source.place.open(source.path);
  const MirrorSwitch mirror_switch;
  mirror_switch.break_mirror();
  auto options = options_for(source);
  options.size = 2 * disk_size;
  Progress progress;
  const auto created = mirror(disk, options, mirror_switch, progress);
  REQUIRE_MESSAGE(created, created.error().message);
  const auto copy = source.place.open(created->path);
  CHECK(copy.size() == 2 * disk_size);
  CHECK(read(copy, 0, disk_size) == content(disk));
  CHECK(read(copy, disk_size, disk_size) == filled(disk_size, 0));
}

TEST_CASE("space that zeros give back in the target is used again") {
  Source source({"vhdx"}, 64 * mib);
  const MirrorSwitch mirror_switch;
  auto job = start_mirror(source.place, source.disk, copy_target("vhdx"), mirror_switch);
  for (int turn = 0; turn < 12; ++turn) {
    must(source.disk.write(u64{8} * mib, filled(8 * mib, turn + 1)));
    wait_until_in_step(job, mirror_switch);
    must(source.disk.zero(u64{8} * mib, 8 * mib));
    wait_until_in_step(job, mirror_switch);
  }
  must(source.disk.write(u64{32} * mib, filled(mib, 1)));  // where there is room now
  mirror_switch.break_mirror();
  const auto created = std::move(job).wait();
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(source.place.bytes(created->path).size() < 48 * mib);
  CHECK(source.place.open(created->path).count_blocks()->allocated == 3);
  CHECK(source.place.check(created->path).clean());
}

TEST_CASE("64 TiB: the map is what counts") {
  const MemoryPlace place;
  Target wide;
  wide.block_size = u32{256 * mib};
  auto disk = place.open(place.create("a.vhdx", 64 * tib, wide), Access::read_write);
  must(disk.write(63 * tib, filled(4096, 1)));
  const MirrorSwitch mirror_switch;
  auto target = copy_target("vhdx");
  target.block_size = wide.block_size;
  auto job = start_mirror(place, disk, target, mirror_switch);
  wait_until_in_step(job, mirror_switch);
  must(disk.write(tib + 4096, filled(4096, 2)));
  must(disk.zero(63 * tib, 4096));
  wait_until_in_step(job, mirror_switch);
  mirror_switch.break_mirror();
  const auto created = std::move(job).wait();
  REQUIRE_MESSAGE(created, created.error().message);
  const auto copy = place.open(created->path);
  CHECK(read(copy, tib, 12288) == read(disk, tib, 12288));
  CHECK(read(copy, 63 * tib, 4096) == filled(4096, 0));
  CHECK(created->copied->written_bytes < mib);
}
