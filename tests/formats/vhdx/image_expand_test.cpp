// Expand: with and without room in the BAT, fixed, child, and power loss at every call.
#include "base/checksum.h"
#include "formats/vhdx/image_fixture.h"
#include "support/counting_file.h"
#include "support/crash_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;
using vdisk::test::CountingFile;
using vdisk::test::CrashFile;

namespace {

struct Expansion {
  Shape shape;
  u64 new_size = 0;
};

/// What fits into a BAT region of 1 MiB, and what does not.
const Expansion expansions[] = {
    {{.type = ImageType::dynamic, .size = 5 * mib}, 40 * mib},
    {{.type = ImageType::dynamic, .size = 5 * mib + 512}, 40 * mib + 1024},
    {{.type = ImageType::dynamic, .size = 5 * mib}, 130 * gib},
    {{.type = ImageType::fixed, .size = 3 * mib}, 9 * mib + 512},
    {{.type = ImageType::fixed, .size = 3 * mib}, 129 * gib},
    {{.type = ImageType::differencing, .size = 5 * mib + 512}, 9 * mib},
    {{.type = ImageType::differencing, .size = 5 * mib + 512}, 132 * gib},
};

u64 bat_region_offset(const File& file) {
  // Windows' order (FORMATS 3.1): the BAT is the first entry of the table.
  return peek(file, 192 * kib + 16 + 16);
}

}  // namespace

TEST_CASE("expand keeps the data, gives zeros behind them, and survives reopening") {
  for (const Expansion& expansion : expansions) {
    INFO(name(expansion.shape.type)
         << " from " << expansion.shape.size << " to " << expansion.new_size);
    const auto file = make_image(expansion.shape);
    const u64 old_size = expansion.shape.size;
    const auto data = pattern(old_size, 3);
    auto image = open(file);
    must(guest_write(*image, 0, data));
    must(image->expand(expansion.new_size));
    CHECK(image->geometry().virtual_size == expansion.new_size);
    must(guest_write(*image, expansion.new_size - 4096, pattern(4096, 4)));
    must(image->close());
    require_clean(*file);
    image = open(file, Access::read_only);
    CHECK(image->geometry().virtual_size == expansion.new_size);
    CHECK(guest_read(*image, 0, old_size) == data);
    const u64 behind = std::min(expansion.new_size - 4096 - old_size, 2 * mib);
    CHECK(guest_read(*image, old_size, behind) == std::vector<std::byte>(behind));
    CHECK(guest_read(*image, expansion.new_size - 4096, 4096) == pattern(4096, 4));
  }
}

TEST_CASE("expand within the BAT costs 3 flushes with the session's own, and moves nothing") {
  const auto memory = make_image({.size = 5 * mib});
  const auto file = std::make_shared<CountingFile>(memory);
  const auto image = open(file);
  file->reset();
  must(image->expand(40 * mib));
  CHECK(file->counts().flushes <= 3);
  CHECK(file->counts().written_bytes <= 5 * 4096);
  MESSAGE("flushes of expand: " << file->counts().flushes);
  must(image->close());
  MESSAGE("with close: " << file->counts().flushes);
  CHECK(peek(*memory, size_item_offset) == 40 * mib);
  CHECK(bat_region_offset(*memory) == 3 * mib);
}

TEST_CASE("a BAT without room moves, and its old place is used again") {
  const auto memory = make_image({.size = 5 * mib});
  const auto file = std::make_shared<CountingFile>(memory);
  const auto image = open(file);
  must(guest_write(*image, 0, pattern(4096, 1)));
  file->reset();
  must(image->expand(130 * gib));
  CHECK(file->counts().flushes <= 4);
  CHECK(file->counts().written_bytes <= 64 * kib);
  must(image->flush());
  image->reclaim();
  must(image->flush());
  CHECK(must(image->reserve(mib, 512)).file_offset == 3 * mib);
  must(image->close());
  CHECK(bat_region_offset(*memory) > 3 * mib);
  CHECK(guest_read(*open(memory, Access::read_only), 0, 4096) == pattern(4096, 1));
}

TEST_CASE("bytes and entries of an earlier, larger disk do not come back") {
  for (const auto type : {ImageType::dynamic, ImageType::differencing}) {
    CAPTURE(name(type));
    const auto file = make_image({.type = type, .size = 9 * mib});
    {
      const auto image = open(file);
      must(guest_write(*image, 0, pattern(9 * mib, 1)));
      must(image->close());
    }
    poke(*file, size_item_offset, 4 * mib + 512);  // somebody shrank it carelessly
    const auto image = open(file);
    must(image->expand(9 * mib));
    must(image->close());
    const auto again = open(file, Access::read_only);
    const u64 old_size = 4 * mib + 512;
    CHECK(guest_read(*again, old_size, 9 * mib - old_size) ==
          std::vector<std::byte>(9 * mib - old_size));
    CHECK(guest_read(*again, 0, old_size) == [] {
      auto bytes = pattern(9 * mib, 1);
      bytes.resize(old_size);
      return bytes;
    }());
    require_clean(*file);
  }
}

TEST_CASE("bits of an earlier, larger child do not show the parent or old bytes") {
  const auto file = make_image({.type = ImageType::differencing, .size = 5 * mib});
  {
    const auto image = open(file);
    must(guest_write(*image, 4 * mib + 4096, pattern(8192, 1)));
    must(image->close());
  }
  poke(*file, size_item_offset, 4 * mib + 8192);
  const auto image = open(file);
  must(image->expand(5 * mib));
  const auto parent = pattern(4 * mib + 8192, 2);  // the parent is as large as the child was
  const auto bytes = guest_read(*image, 4 * mib, mib, parent);
  CHECK(is_zero(std::span(bytes).subspan(8192)));
  CHECK(std::ranges::equal(std::span(bytes).first(4096), std::span(parent).subspan(4 * mib, 4096)));
  const auto written = pattern(8192, 1);
  CHECK(std::ranges::equal(std::span(bytes).subspan(4096, 4096), std::span(written).first(4096)));
}

TEST_CASE("quirk 28: a short last block is filled up") {
  const auto file = make_image({.size = 9 * mib, .block_size = 2 * mib});
  must(file->resize(5 * mib));
  must(file->write_at(4 * mib, pattern(mib, 1)));
  poke(*file, bat_offset + 8 * 4, 4 * mib | 6);
  const auto image = open(file);
  must(image->expand(10 * mib));
  CHECK(guest_read(*image, 8 * mib, mib) == pattern(mib, 1));
  CHECK(guest_read(*image, 9 * mib, mib) == std::vector<std::byte>(mib));
}

TEST_CASE("sizes that expand refuses, and the present size") {
  const auto file = make_image({.size = 8 * mib, .sector_size = 4096});
  const auto before = file->content();
  const auto image = open(file);
  for (const u64 size : {4 * mib, 8 * mib + 512, 64 * tib + 4096}) {
    CHECK(image->expand(size).error().code == Errc::invalid_argument);
  }
  must(image->expand(8 * mib));
  must(image->close());
  CHECK(file->content() == before);
}

TEST_CASE("the largest disk: 64 TiB in blocks of 1 MiB") {
  const auto file = make_image({.size = 5 * mib});
  const auto image = open(file);
  must(guest_write(*image, 0, pattern(4096, 1)));
  must(image->expand(64 * tib));
  must(guest_write(*image, 64 * tib - 4096, pattern(4096, 2)));
  must(image->close());
  const auto again = open(file, Access::read_only);
  CHECK(guest_read(*again, 64 * tib - 4096, 4096) == pattern(4096, 2));
  CHECK(guest_read(*again, 0, 4096) == pattern(4096, 1));
}

TEST_CASE("a power loss during expand leaves the old or the new size, and the data") {
  for (const Expansion& expansion : expansions) {
    if (expansion.shape.size == 5 * mib && expansion.new_size < gib) continue;
    if (expansion.new_size > 131 * gib || expansion.new_size == 129 * gib) continue;
    auto start = make_image(expansion.shape);
    const u64 old_size = expansion.shape.size;
    const auto data = pattern(64 * kib, 3);
    {
      const auto image = open(start);
      must(guest_write(*image, old_size - data.size(), data));
      must(image->close());
    }
    bool reached_end = false;
    for (u64 call = 0; !reached_end; ++call) {
      INFO("call " << call << ", " << name(expansion.shape.type) << " to " << expansion.new_size);
      const auto file = std::make_shared<CrashFile>(*start);
      const auto image = open(file);
      file->crash_before(call, static_cast<u32>(call));
      must(image->expand(expansion.new_size));
      const bool expanded = !file->crashed();
      must(image->close());
      reached_end = !file->crashed();
      file->crash_now();
      const auto left = file->remains();
      if (must(format.needs_recovery(*left))) must(format.recover(*left));
      require_clean(*left);
      const auto again = open(left, Access::read_only);
      const u64 size = again->geometry().virtual_size;
      REQUIRE((size == expansion.new_size || (size == old_size && !expanded)));
      REQUIRE(guest_read(*again, old_size - data.size(), data.size()) == data);
      const u64 behind = std::min(size - old_size, mib);
      if (behind != 0) {
        REQUIRE(guest_read(*again, old_size, behind) == std::vector<std::byte>(behind));
      }
    }
  }
}
