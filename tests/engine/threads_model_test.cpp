/// Many threads on one Disk: each writes places of its own, all flush and read, and at the end
/// every sector holds what its thread last gave it. Run under ThreadSanitizer too.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <doctest/doctest.h>

#include "support/memory_place.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;

namespace {

constexpr u64 threads = 4;

/// Who owns which places: place i (of `size` bytes) belongs to thread i % threads.
struct Ownership {
  u64 size;   ///< of a place, bytes
  u64 count;  ///< of places
};

u64 seed() {
  const char* text = std::getenv("VDISK_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

/// One thread's work on its own places; `last` gets what each place was filled with.
class Worker {
 public:
  Worker(Disk& disk, Ownership places, u64 number, std::vector<int>& last)
      : disk_(disk), places_(places), number_(number), last_(last), random_(seed() + number) {}

  /// Empty, or the first thing that went wrong.
  std::string run(int steps) {
    for (int step = 0; step < steps; ++step) {
      const auto status = one_step();
      if (!status) return status.error().message;
      if (!wrong_.empty()) return wrong_;
    }
    return {};
  }

 private:
  Status one_step() {
    const u64 place = random_() % (places_.count / threads) * threads + number_;
    const u64 offset = place * places_.size;
    const auto choice = random_() % 10;
    if (choice < 5) {
      last_[place] = static_cast<int>(1 + random_() % 255);
      return disk_.write(offset, filled(places_.size, last_[place]));
    }
    if (choice == 5) {
      last_[place] = 0;
      return disk_.zero(offset, places_.size);
    }
    if (choice == 6) return discard(place, offset);
    if (choice == 7) return disk_.flush();
    return read_back(place, offset);
  }

  Status discard(u64 place, u64 offset) {
    auto status = disk_.discard(offset, places_.size);
    if (!status) return status;
    std::vector<std::byte> data(places_.size);
    status = disk_.read(offset, data);
    if (data != filled(places_.size, last_[place])) last_[place] = 0;
    if (data != filled(places_.size, last_[place])) wrong_ = "torn after a discard";
    return status;
  }

  Status read_back(u64 place, u64 offset) {
    std::vector<std::byte> data(places_.size);
    const auto status = disk_.read(offset, data);
    if (data != filled(places_.size, last_[place])) wrong_ = "not what this thread wrote";
    return status;
  }

  Disk& disk_;
  Ownership places_;
  u64 number_;
  std::vector<int>& last_;
  std::mt19937_64 random_;
  std::string wrong_;
};

void run_threads(const MemoryPlace& place, const std::filesystem::path& path, Ownership places,
                 int before) {
  std::vector<int> last(places.count, before);
  std::vector<std::string> wrong(threads);
  auto disk = place.open(path, Access::read_write);
  {
    std::vector<std::jthread> running;
    for (u64 number = 0; number < threads; ++number) {
      running.emplace_back(
          [&, number] { wrong[number] = Worker(disk, places, number, last).run(150); });
    }
  }
  for (const auto& text : wrong) CHECK_MESSAGE(text.empty(), text, ", VDISK_SEED=", seed());
  must(disk.close());
  CHECK(place.check(path).clean());
  const auto again = place.open(path);
  for (u64 i = 0; i < places.count; ++i) {
    std::vector<std::byte> data(places.size);
    must(again.read(i * places.size, data));
    if (data != filled(places.size, last[i])) {
      FAIL_CHECK("place ", i, " is not what was written last, VDISK_SEED=", seed());
    }
  }
}

}  // namespace

TEST_CASE("threads: neighbouring sectors of the same blocks") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 4 * mib);
    run_threads(place, base, {.size = 3 * 512, .count = 2000}, 0);
  }
}

TEST_CASE("threads: neighbouring sectors of a child's blocks") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    const auto base = place.create("base." + extension, 4 * mib);
    test::write_and_close(place, base, 0, filled(4 * mib, 0x11));
    const auto child = place.snapshot(base, "child." + extension);
    run_threads(place, child, {.size = 3 * 512, .count = 2000}, 0x11);
  }
}

TEST_CASE("threads: whole blocks come and go") {
  for (const std::string extension : {"vhd", "vhdx"}) {
    CAPTURE(extension);
    const MemoryPlace place;
    Target target;
    target.block_size = static_cast<u32>(extension == "vhd" ? 512 * kib : mib);
    const auto path = place.create("a." + extension, 24 * *target.block_size, target);
    run_threads(place, path, {.size = *target.block_size, .count = 24}, 0);
  }
}
