// Several threads on one image; the thread sanitizer is run over this.
#include <thread>

#include "formats/vhdx/image_fixture.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

void run_threads(u32 count, const std::function<void(u32)>& body) {
  std::vector<std::jthread> threads;
  for (u32 n = 0; n < count; ++n) threads.emplace_back(body, n);
}

constexpr u32 thread_count = 4;
constexpr u64 piece = 4096;

}  // namespace

TEST_CASE("threads that share blocks get one place for each, and nothing is lost") {
  for (const auto type : {ImageType::dynamic, ImageType::differencing}) {
    CAPTURE(name(type));
    const auto file = make_image({.type = type, .size = 32 * mib});
    must(file->write_at(4 * mib, pattern(6 * mib, 9)));  // free space with old bytes
    const auto image = open(file);
    // Thread n writes every fourth piece, so that all of them meet in every block.
    run_threads(thread_count, [&](u32 n) {
      for (u64 offset = n * piece; offset < 32 * mib; offset += 64 * thread_count * piece) {
        if (!guest_write(*image, offset, pattern(piece, static_cast<u32>(offset / piece)))) return;
        if (n == 0 && !image->flush()) return;
        if (n == 1) image->reclaim();
        if (n == 2 && !image->extent_at(offset, mib)) return;
      }
    });
    must(image->close());
    require_clean(*file);
    const auto again = open(file, Access::read_only);
    for (u32 n = 0; n < thread_count; ++n) {
      for (u64 offset = n * piece; offset < 32 * mib; offset += 64 * thread_count * piece) {
        CAPTURE(offset);
        REQUIRE(guest_read(*again, offset, piece) ==
                pattern(piece, static_cast<u32>(offset / piece)));
      }
    }
    CHECK(must(again->count_blocks()).allocated == 32);
  }
}

TEST_CASE("threads that write, discard and flush their own blocks do not disturb each other") {
  const auto file = make_image({.size = 16 * mib});
  const auto image = open(file);
  run_threads(thread_count, [&](u32 n) {
    const u64 begin = n * 4 * mib;
    for (u32 round = 0; round < 20; ++round) {
      const u64 offset = begin + round % 4 * mib;
      if (!guest_write(*image, offset, pattern(mib, n * 100 + round))) return;
      if (!image->discard(begin + (round + 2) % 4 * mib, mib, State::zero)) return;
      if (round % 5 == n && !image->flush()) return;
    }
  });
  must(image->close());
  require_clean(*file);
  const auto again = open(file, Access::read_only);
  for (u32 n = 0; n < thread_count; ++n) {
    // Rounds 18 and 19 wrote blocks 2 and 3 and discarded 0 and 1.
    const u64 begin = n * 4 * mib;
    CHECK(guest_read(*again, begin, 2 * mib) == std::vector<std::byte>(2 * mib));
    CHECK(guest_read(*again, begin + 2 * mib, mib) == pattern(mib, n * 100 + 18));
    CHECK(guest_read(*again, begin + 3 * mib, mib) == pattern(mib, n * 100 + 19));
  }
}
