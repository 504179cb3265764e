/// Who watches a disk learns of every change, and of none after it has left.
#include "engine/change_watch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "engine/disk_core.h"
#include "support/fault_file.h"
#include "support/memory_place.h"
#include "support/substitute_filesystem.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;

namespace {

struct Range {
  u64 offset = 0;
  u64 length = 0;
  bool operator==(const Range&) const = default;
};

class Recorder final : public ChangeWatch::Watcher {
 public:
  void changed(u64 offset, u64 length) noexcept override { ranges.push_back({offset, length}); }
  std::vector<Range> ranges;
};

/// Says when it is told something although its end has come.
class Mortal final : public ChangeWatch::Watcher {
 public:
  explicit Mortal(std::atomic<int>& told_after_its_end) : told_(told_after_its_end) {}
  ~Mortal() override { alive_ = false; }
  void changed(u64, u64) noexcept override {
    if (!alive_) ++told_;
  }

 private:
  std::atomic<int>& told_;
  std::atomic<bool> alive_ = true;
};

}  // namespace

TEST_CASE("write, zero, discard and commit are told after they were made") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib);
  auto disk = place.open(path, Access::read_write);
  auto& core = DiskAccess::core(disk);
  must(disk.write(0, filled(512, 1)));
  Recorder recorder;
  must(core.watch_changes(recorder));
  must(disk.write(4096, filled(1024, 2)));
  must(disk.zero(mib, mib));
  must(disk.discard(3 * mib, 512));
  auto place_of_payload = disk.reserve(5 * mib, 4096);
  REQUIRE(place_of_payload);
  CHECK(recorder.ranges.size() == 3);
  must(disk.commit(*place_of_payload));
  const std::vector<Range> expected = {
      {4096, 1024}, {mib, mib}, {3 * mib, 512}, {5 * mib, place_of_payload->length}};
  CHECK(recorder.ranges == expected);
  must(disk.flush());
  CHECK_FALSE(disk.write(8 * mib, filled(512, 1)));  // refused: nothing has changed
  CHECK(recorder.ranges.size() == 4);
  core.changes.detach();
  must(disk.write(0, filled(512, 3)));
  CHECK(recorder.ranges.size() == 4);
}

TEST_CASE("a change that fails is told: nobody knows what it has left") {
  const MemoryPlace place;
  const auto path = place.create("a.raw", mib);
  const auto file = std::make_shared<test::FaultFile>(
      place.files->open(path, {.access = Access::read_write}).value());
  OpenOptions options = place.options(Access::read_write);
  options.file_system = std::make_shared<test::SubstituteFileSystem>(place.files, path, file);
  auto disk = Disk::open(path, options);
  REQUIRE(disk);
  Recorder recorder;
  must(DiskAccess::core(*disk).watch_changes(recorder));
  file->inject({.call = test::FaultyCall::write});
  CHECK_FALSE(disk->write(4096, filled(512, 1)));
  CHECK(recorder.ranges == std::vector<Range>{{4096, 512}});
  DiskAccess::core(*disk).changes.detach();
}

TEST_CASE("a second watcher, a close and a new size are refused while somebody watches") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib);
  auto disk = place.open(path, Access::read_write);
  auto& core = DiskAccess::core(disk);
  Recorder first;
  Recorder second;
  must(core.watch_changes(first));
  CHECK(core.watch_changes(second).error().code == Errc::operation_in_progress);
  CHECK(core.expand(16 * mib).error().code == Errc::operation_in_progress);
  CHECK(core.shrink(4 * mib).error().code == Errc::operation_in_progress);
  CHECK(disk.close().error().code == Errc::operation_in_progress);
  must(disk.write(0, filled(512, 1)));
  CHECK(first.ranges.size() == 1);
  CHECK(second.ranges.empty());
  core.changes.detach();
  must(disk.close());
}

TEST_CASE("holding waits for the change that is under way, and lets no other begin") {
  ChangeWatch watch;
  Recorder recorder;
  REQUIRE(watch.attach(recorder));
  const auto entry = watch.enter();
  REQUIRE(entry == ChangeWatch::Entry::watched);
  std::atomic<bool> held = false;
  std::jthread holder([&] {
    watch.hold();
    held = true;
  });
  while (watch.enter() != ChangeWatch::Entry::refused) {
    watch.leave(ChangeWatch::Entry::watched, 7, 7);
    std::this_thread::yield();
  }
  CHECK_FALSE(held);
  watch.leave(entry, 1, 2);
  holder.join();
  CHECK(held);
  CHECK(recorder.ranges.back() == Range{1, 2});

  std::atomic<bool> went_on = false;
  std::jthread writer([&] {
    watch.wait_until_released();
    went_on = true;
  });
  CHECK(watch.enter() == ChangeWatch::Entry::refused);
  CHECK_FALSE(went_on);
  watch.release();
  writer.join();
  CHECK(watch.enter() == ChangeWatch::Entry::watched);
  watch.detach();
  watch.leave(ChangeWatch::Entry::watched, 3, 4);  // counted before, told to nobody
  CHECK(recorder.ranges.back() == Range{1, 2});
  CHECK(watch.enter() == ChangeWatch::Entry::unwatched);
}

TEST_CASE("a flush does not wait for changes that are held") {
  const MemoryPlace place;
  const auto path = place.create("a.vhdx", 8 * mib);
  auto disk = place.open(path, Access::read_write);
  auto& core = DiskAccess::core(disk);
  must(disk.write(0, filled(mib, 1)));
  must(disk.discard(0, mib));  // the next flush waits for everybody who is reading or writing
  Recorder recorder;
  must(core.watch_changes(recorder));
  core.changes.hold();
  std::atomic<bool> written = false;
  std::atomic<bool> begun = false;
  std::jthread writer([&] {
    begun = true;
    must(disk.write(mib, filled(512, 2)));
    written = true;
  });
  while (!begun) std::this_thread::yield();
  for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
  must(disk.flush());
  must(disk.flush());
  CHECK_FALSE(written);
  CHECK(test::read(disk, mib, 512) == filled(512, 0));
  core.changes.detach();
  writer.join();
  CHECK(test::read(disk, mib, 512) == filled(512, 2));
}

TEST_CASE("watchers come and go while threads write") {
  const MemoryPlace place;
  const auto path = place.create("a.raw", mib);
  auto disk = place.open(path, Access::read_write);
  auto& core = DiskAccess::core(disk);
  std::atomic<bool> stop = false;
  std::atomic<int> told_after_its_end = 0;
  {
    std::vector<std::jthread> writers;
    for (u64 number = 0; number < 3; ++number) {
      writers.emplace_back([&, number] {
        const auto data = filled(512, 1);
        while (!stop) must(disk.write(number * 512, data));
      });
    }
    for (int turn = 0; turn < 300; ++turn) {
      const auto watcher = std::make_unique<Mortal>(told_after_its_end);
      must(core.watch_changes(*watcher));
      if (turn % 3 == 0) core.changes.hold();
      core.changes.detach();
    }
    stop = true;
  }
  CHECK(told_after_its_end == 0);
}
