/// Mirrors of disks that threads write all the time. Run under ThreadSanitizer too.
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <random>

#include "mirror_cases.h"
#include "resize_subtypes.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 disk_size = 6 * mib;
constexpr u64 thread_count = 3;

u64 seed() {
  const char* text = std::getenv("VDISK_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// Changes a part of the disk that is its own, and keeps what it must hold.
class Writer {
 public:
  static constexpr u64 part = disk_size / thread_count;

  Writer(Disk& disk, u64 number)
      : disk_(disk),
        begin_(number * part),
        sector_(disk.geometry().logical_sector_size),
        random_(seed() + number),
        content_(read(disk, begin_, part)) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) change();
  }

  [[nodiscard]] bool is_in(const Disk& disk) const { return read(disk, begin_, part) == content_; }

 private:
  void change() {
    const u64 sectors = part / sector_;
    const u64 first = random_() % sectors;
    const u64 most = random_() % 20 == 0 ? sectors : 24;
    const u64 at = first * sector_;
    const u64 length = (1 + random_() % std::min(sectors - first, most)) * sector_;
    const auto place = std::span(content_).subspan(at, length);
    const auto choice = random_() % 8;
    if (choice < 6) std::ranges::fill(place, static_cast<std::byte>(1 + random_() % 255));
    if (choice < 6) must(disk_.write(begin_ + at, place));
    if (choice == 6) std::ranges::fill(place, std::byte{});
    if (choice == 6) must(disk_.zero(begin_ + at, length));
    if (choice < 7) return;
    must(disk_.discard(begin_ + at, length));
    must(disk_.read(begin_ + at, place));  // the old bytes or zeros, by sectors
  }

  Disk& disk_;
  u64 begin_;
  u64 sector_;
  std::mt19937_64 random_;
  std::vector<std::byte> content_;
};

/// Each place is written as a whole again and again, with a number that grows.
class Counters {
 public:
  static constexpr u64 place_size = 3 * 4096;
  static constexpr u64 place_count = 96;
  using Numbers = std::array<u64, place_count>;

  explicit Counters(Disk& disk) : disk_(disk) {}

  /// Writes places number, number + thread_count, ... by turns until it is stopped.
  void write(u64 number) {
    for (u64 round = 1; !stop; ++round) {
      for (u64 place = number; place < place_count && !stop; place += thread_count) {
        must(disk_.write(place * step, numbered(round)));
        returned_[place] = round;
      }
    }
  }

  /// What was certainly written when this returns.
  [[nodiscard]] Numbers returned() const {
    Numbers numbers{};
    for (u64 place = 0; place < place_count; ++place) numbers[place] = returned_[place];
    return numbers;
  }

  /// The number in a place; fails when it is not one and the same in all of it.
  static u64 number_in(const Disk& disk, u64 place) {
    const auto bytes = read(disk, place * step, place_size);
    u64 number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    REQUIRE_MESSAGE(bytes == numbered(number), "torn place ", place);
    return number;
  }

  std::atomic<bool> stop = false;

 private:
  static constexpr u64 step = 15 * 4096;  // places lie over the ends of chunks

  static std::vector<std::byte> numbered(u64 number) {
    std::vector<std::byte> bytes(place_size);
    for (u64 at = 0; at < place_size; at += sizeof number) {
      std::memcpy(bytes.data() + at, &number, sizeof number);
    }
    return bytes;
  }

  Disk& disk_;
  std::array<std::atomic<u64>, place_count> returned_{};
};

}  // namespace

TEST_CASE("threads: a mirror holds what every thread wrote, zeroed and discarded") {
  for (const Subtype& subtype : subtypes) {
    CAPTURE(describe(subtype));
    CAPTURE(seed());
    const MemoryPlace place;
    auto disk = place.open(make(place, subtype, disk_size, 4 * mib), Access::read_write);
    std::vector<Writer> writers;
    for (u64 number = 0; number < thread_count; ++number) {
      writers.emplace_back(disk, number).run(20);
    }
    const MirrorSwitch mirror_switch;
    const std::string extension = subtype.extension == "vhd" ? "vhdx" : "vhd";
    auto target = copy_target(subtype.sector == 4096 ? "vhdx" : extension);
    auto job = start_mirror(place, disk, target, mirror_switch);
    {
      std::vector<std::jthread> running;
      for (auto& writer : writers) running.emplace_back([&writer] { writer.run(150); });
    }
    mirror_switch.break_mirror();
    const auto created = std::move(job).wait();
    REQUIRE_MESSAGE(created, created.error().message);
    const auto copy = place.open(created->path);
    for (const auto& writer : writers) {
      CHECK(writer.is_in(disk));
      CHECK(writer.is_in(copy));
    }
    CHECK(place.check(created->path).clean());
  }
}

TEST_CASE("threads: a break under steady writing ends, with every change that had returned") {
  for (const std::string extension : {"raw", "vhdx", "vhd"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    auto disk = place.open(make(place, {extension}, disk_size), Access::read_write);
    Counters counters(disk);
    std::vector<std::jthread> running;
    for (u64 number = 0; number < thread_count; ++number) {
      running.emplace_back([&counters, number] { counters.write(number); });
    }
    const MirrorSwitch mirror_switch;
    auto job = start_mirror(place, disk, copy_target("vhdx"), mirror_switch);
    wait_until([&] {
      const auto numbers = counters.returned();
      return mirror_switch.state().copied_bytes > 0 && *std::ranges::min_element(numbers) > 2;
    });
    const auto before = counters.returned();
    mirror_switch.break_mirror();
    const auto created = std::move(job).wait();
    const auto after = counters.returned();
    wait_until([&] { return counters.returned() != after; });  // the writers go on
    counters.stop = true;
    running.clear();
    REQUIRE_MESSAGE(created, created.error().message);
    const auto copy = place.open(created->path);
    for (u64 index = 0; index < Counters::place_count; ++index) {
      const u64 number = Counters::number_in(copy, index);
      CHECK(number >= before[index]);
      CHECK(number <= after[index] + 1);
    }
    CHECK(place.check(created->path).clean());
    must(disk.close());
  }
}

TEST_CASE("threads: mirrors come and go while the disk is written") {
  const MemoryPlace place;
  auto disk = place.open(make(place, {"vhdx"}, disk_size), Access::read_write);
  Counters counters(disk);
  std::vector<std::jthread> running;
  for (u64 number = 0; number < thread_count; ++number) {
    running.emplace_back([&counters, number] { counters.write(number); });
  }
  for (int turn = 0; turn < 20; ++turn) {
    const MirrorSwitch mirror_switch;
    auto job = start_mirror(place, disk, copy_target("vhdx"), mirror_switch);
    if (turn % 2 == 0) wait_until([&] { return mirror_switch.state().copied_bytes > 0; });
    CHECK(job.cancel() == Errc::canceled);
    CHECK(std::move(job).wait().error().code == Errc::canceled);
    CHECK(nothing_left(place));
  }
  counters.stop = true;
  running.clear();
  must(disk.close());
}

TEST_CASE("threads: payload that the caller writes between reserve and commit is mirrored") {
  const MemoryPlace place;
  auto disk = place.open(make(place, {"vhdx"}, disk_size), Access::read_write);
  const MirrorSwitch mirror_switch;
  auto job = start_mirror(place, disk, copy_target("raw"), mirror_switch);
  wait_until_in_step(job, mirror_switch);
  for (int turn = 1; turn < 4; ++turn) {  // the first one allocates, the others write in place
    const auto extent = disk.reserve(mib + 4096, 8192);
    REQUIRE(extent);
    must(disk.layer_file(0).write_at(extent->file_offset, filled(extent->length, turn)));
    must(disk.commit(*extent));
    wait_until_in_step(job, mirror_switch);
  }
  mirror_switch.break_mirror();
  const auto created = std::move(job).wait();
  REQUIRE_MESSAGE(created, created.error().message);
  CHECK(read(place.open(created->path), mib + 4096, 8192) == filled(8192, 3));
}
