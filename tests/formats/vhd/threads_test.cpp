/// Many threads on one image: shared pending blocks, overlapping flushes, freed space.
#include <thread>

#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

constexpr u64 thread_count = 4;
constexpr u64 block_size = 4096;
constexpr u64 blocks = 64;

/// Each thread owns every fourth sector, so that all of them meet in every block.
void write_own_sectors(Image& image, u64 thread, std::atomic<bool>& failed) {
  for (u64 sector = thread; sector < blocks * block_size / 512; sector += thread_count) {
    const Bytes data = pattern(sector * 512, 512, thread);
    auto extent = image.reserve(sector * 512, 512);
    const bool written = extent && image.file().write_at(extent->file_offset, data) &&
                         image.commit(*extent) && (sector % 50 != thread || image.flush());
    auto seen = image.extent_at(sector * 512, 512);
    if (!written || !seen || seen->state != State::data) failed = true;
  }
}

}  // namespace

TEST_CASE("threads: writers that meet in the same new blocks lose nothing") {
  for (const u32 disk_type : {3U, 4U}) {
    VhdBuilder builder;
    builder.footer.disk_type = disk_type;
    builder.block_size = block_size;
    builder.footer.current_size = blocks * block_size;
    builder.parent_unique_id[0] = disk_type == 4 ? 1 : 0;
    const auto file = memory_file(builder.build());
    const auto image = open_sound(file, Access::read_write);
    std::atomic<bool> failed = false;
    std::vector<std::jthread> threads;
    for (u64 thread = 0; thread < thread_count; ++thread) {
      threads.emplace_back([&, thread] { write_own_sectors(*image, thread, failed); });
    }
    threads.clear();
    CHECK_FALSE(failed);
    REQUIRE(image->close().has_value());
    const Bytes bytes = read_all(*open_sound(file));
    for (u64 sector = 0; sector < bytes.size() / 512; ++sector) {
      const Bytes expected = pattern(sector * 512, 512, sector % thread_count);
      CHECK(std::equal(expected.begin(), expected.end(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(sector * 512)));
    }
    CHECK(open_sound(file)->count_blocks()->allocated == blocks);
  }
}

TEST_CASE("threads: writing while another thread discards and flushes") {
  VhdBuilder builder;
  builder.block_size = block_size;
  builder.footer.current_size = blocks * block_size;
  const auto file = memory_file(builder.build());
  const auto image = open_sound(file, Access::read_write);
  std::atomic<bool> failed = false;
  {
    std::jthread discarder([&] {
      for (u64 round = 0; round < 40; ++round) {
        const bool done =
            image->discard((round % 32) * block_size, block_size, State::zero) && image->flush();
        if (!done) failed = true;
      }
    });
    std::jthread low([&] {
      for (u64 n = 0; n < 200; ++n) {
        if (!write_image(*image, n % 32 * block_size + 512, pattern(0, 512, 7))) failed = true;
      }
    });
    for (u64 n = 0; n < 200; ++n) {
      const u64 offset = (32 + n % 32) * block_size;
      if (!write_image(*image, offset, pattern(offset, block_size, 9))) failed = true;
    }
  }
  CHECK_FALSE(failed);
  REQUIRE(image->close().has_value());
  const auto again = open_sound(file);
  CHECK(*read_image(*again, 32 * block_size, 32 * block_size) ==
        pattern(32 * block_size, 32 * block_size, 9));
  const Bytes low = *read_image(*again, 0, 32 * block_size);
  for (u64 block = 0; block < 32; ++block) {
    const std::span part = std::span(low).subspan(block * block_size + 512, 512);
    const bool zeros = std::ranges::all_of(part, [](std::byte b) { return b == std::byte{}; });
    CHECK((zeros || std::ranges::equal(part, pattern(0, 512, 7))));
  }
  CheckReport report;
  REQUIRE(vhd::format.check(*file, report).has_value());
  CHECK(report.clean());
}
