// The map: BAT states, sector bitmaps, merging, and entries that must not be trusted.
#include "formats/vhdx/image.h"
#include "formats/vhdx/image_fixture.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::vhdx;
using namespace vdisk::vhdx::test;

namespace {

constexpr u64 bitmap_slot_512 = 4096;  // 1 MiB blocks, 512-byte sectors (FORMATS 6.5)

std::unique_ptr<Image> read(const std::shared_ptr<File>& file) {
  return open(file, Access::read_only);
}

}  // namespace

TEST_CASE("states of a dynamic image: only FULLY_PRESENT is data") {
  const auto file = make_image({});
  must(file->resize(16 * mib));
  poke(*file, bat_offset + 8 * 1, 0x0000000000400006);  // state 6 at 4 MiB (FORMATS 6.5)
  poke(*file, bat_offset + 8 * 2, 1);
  poke(*file, bat_offset + 8 * 3, 2);
  poke(*file, bat_offset + 8 * 4, 3);
  const auto image = read(file);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, mib, State::absent, 0});
  CHECK(must(image->extent_at(mib, 8 * mib)) == Extent{mib, mib, State::data, 4 * mib});
  CHECK(must(image->extent_at(mib + 3, 10)) == Extent{mib + 3, 10, State::data, 4 * mib + 3});
  CHECK(must(image->extent_at(2 * mib, 8 * mib)) == Extent{2 * mib, 3 * mib, State::zero, 0});
  CHECK(must(image->extent_at(5 * mib, 8 * mib)) == Extent{5 * mib, 3 * mib, State::absent, 0});
  const BlockCounts counts = must(image->count_blocks());
  CHECK(counts.allocated == 1);
  CHECK(counts.total == 8);
}

TEST_CASE("blocks that follow each other in the file are one extent") {
  const auto file = make_image({});
  must(file->resize(16 * mib));
  poke(*file, bat_offset, 4 * mib | 6);
  poke(*file, bat_offset + 8, 5 * mib | 6);
  poke(*file, bat_offset + 16, 7 * mib | 6);
  const auto image = read(file);
  CHECK(must(image->extent_at(512, 8 * mib)) ==
        Extent{512, 2 * mib - 512, State::data, 4 * mib + 512});
}

TEST_CASE("a partially present block follows its bitmap, least significant bit first") {
  const auto file = make_image({.type = ImageType::differencing});
  must(file->resize(16 * mib));
  poke(*file, bat_offset + 8, 5 * mib | 7);
  poke(*file, bat_offset + 8 * bitmap_slot_512, 4 * mib | 6);
  // Block 1: sectors 2048.. of the chunk, byte 256 of the bitmap. Sectors 1 and 9, 10 are here.
  poke(*file, 4 * mib + 256, 0x0602);
  const auto image = read(file);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, mib + 512, State::absent, 0});
  CHECK(must(image->extent_at(mib + 512, 8 * mib)) ==
        Extent{mib + 512, 512, State::data, 5 * mib + 512});
  CHECK(must(image->extent_at(mib + 1024, 8 * mib)).length == 7 * 512);
  CHECK(must(image->extent_at(mib + 9 * 512 + 100, 8 * mib)) ==
        Extent{mib + 9 * 512 + 100, 924, State::data, 5 * mib + 9 * 512 + 100});
  CHECK(must(image->extent_at(mib + 11 * 512, 8 * mib)).state == State::absent);
}

TEST_CASE("a child's unmapped and zero blocks hide the parent, fully present ones have no bitmap") {
  const auto file = make_image({.type = ImageType::differencing});
  must(file->resize(16 * mib));
  poke(*file, bat_offset, 1);
  poke(*file, bat_offset + 8, 2);
  poke(*file, bat_offset + 16, 9 * mib | 3);
  poke(*file, bat_offset + 24, 8 * mib | 6);
  const auto image = read(file);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, 3 * mib, State::zero, 0});
  CHECK(must(image->extent_at(3 * mib, mib)) == Extent{3 * mib, mib, State::data, 8 * mib});
}

TEST_CASE("a run of bits goes on across bitmap pages") {
  // 64 MiB blocks of 512-byte sectors: 16 KiB of bits, four pages.
  const auto file =
      make_image({.type = ImageType::differencing, .size = 128 * mib, .block_size = 64 * mib});
  must(file->resize(100 * mib));
  poke(*file, bat_offset, 8 * mib | 7);
  poke(*file, bat_offset + 8 * 64, 4 * mib | 6);
  const std::vector<std::byte> ones(10000, std::byte{0xFF});
  must(file->write_at(4 * mib + 100, ones));
  const auto image = read(file);
  CHECK(must(image->extent_at(0, 64 * mib)).length == 800 * 512);
  CHECK(must(image->extent_at(800 * 512, 64 * mib)) ==
        Extent{800 * 512, 80000 * 512, State::data, 8 * mib + 800 * 512});
}

TEST_CASE("a block that breaks a rule fails alone") {
  const auto file = make_image({});
  must(file->resize(16 * mib));
  u64 raw = 0;
  Errc expected = Errc::bat_invalid;
  SUBCASE("X38: reserved state 4") {
    raw = 4;
  }
  SUBCASE("X38: reserved state 5 with a place") {
    raw = 8 * mib | 5;
  }
  SUBCASE("X38: partially present without a parent") {
    raw = 8 * mib | 7;
  }
  SUBCASE("X39: at offset 0") {
    raw = 6;
  }
  SUBCASE("X39: behind the end of the file") {
    raw = 16 * mib | 6;
    expected = Errc::file_size_invalid;
  }
  SUBCASE("X39: where no file reaches") {
    raw = 0xFFFFFFFFFFF00006;
  }
  SUBCASE("X40: over the log") {
    raw = 1 * mib | 6;
  }
  SUBCASE("X40: over the metadata") {
    raw = 2 * mib | 6;
  }
  SUBCASE("X40: over the BAT") {
    raw = 3 * mib | 6;
  }
  poke(*file, bat_offset, 4 * mib | 6);
  poke(*file, bat_offset + 8, raw);
  poke(*file, bat_offset + 16, 6 * mib | 6);
  const auto image = read(file);
  const auto bad = image->extent_at(mib, mib);
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().code == expected);
  CHECK(bad.error().offset == bat_offset + 8);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, mib, State::data, 4 * mib});
  CHECK(must(image->extent_at(2 * mib, mib)).file_offset == 6 * mib);
  // And nothing is written to an image with such an entry.
  const auto before = file->content();
  const auto writable = open(file);
  CHECK_FALSE(writable->reserve(0, 512).has_value());
  CHECK_FALSE(writable->discard(0, mib, State::zero).has_value());
  must(writable->close());
  CHECK(file->content() == before);
}

TEST_CASE("X43: partially present without a bitmap") {
  const auto file = make_image({.type = ImageType::differencing});
  must(file->resize(16 * mib));
  poke(*file, bat_offset, 5 * mib | 7);
  u64 slot = 0;
  Errc expected = Errc::bitmap_mismatch;
  SUBCASE("not present") {}
  SUBCASE("X42: reserved state") {
    slot = 4 * mib | 5;
    expected = Errc::bat_invalid;
  }
  SUBCASE("X39: behind the end") {
    slot = 16 * mib | 6;
    expected = Errc::file_size_invalid;
  }
  poke(*file, bat_offset + 8 * bitmap_slot_512, slot);
  const auto image = read(file);
  const auto bad = image->extent_at(0, mib);
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error().code == expected);
  CHECK_FALSE(open(file)->reserve(mib, 512).has_value());
}

TEST_CASE("X40: blocks that share space are read, and never written") {
  const auto file = make_image({.block_size = 2 * mib});
  must(file->resize(16 * mib));
  poke(*file, bat_offset, 4 * mib | 6);
  poke(*file, bat_offset + 8, 5 * mib | 6);
  const auto image = open(file);
  CHECK(must(image->extent_at(0, mib)).file_offset == 4 * mib);
  const auto refused = image->reserve(0, 512);
  REQUIRE_FALSE(refused.has_value());
  CHECK(kind(refused.error().code) == ErrorKind::corrupt);
}

TEST_CASE("quirks 25, 26: junk in bitmap slots, stale offsets and anchors are tolerated") {
  // 4098 blocks of 1 MiB: one bitmap slot, index 4096.
  const auto file = make_image({.size = 4098 * mib});
  must(file->resize(16 * mib));
  poke(*file, bat_offset + 8 * bitmap_slot_512, 4 * mib | 6);
  poke(*file, bat_offset, 900 * mib | 0);
  poke(*file, bat_offset + 8, 900 * mib | 2);
  poke(*file, bat_offset + 16, 900 * mib | 3);
  poke(*file, bat_offset + 8 * 4097, 5 * mib | 6);
  const auto image = open(file);
  CHECK(must(image->extent_at(0, mib)).state == State::absent);
  CHECK(must(image->extent_at(mib, 4 * mib)) == Extent{mib, 2 * mib, State::zero, 0});
  CHECK(must(image->extent_at(4096 * mib, 9 * mib)).file_offset == 5 * mib);
  CHECK(must(image->reserve(3 * mib, 512)).file_offset == 4 * mib);
}

TEST_CASE("quirk 28: the last block may end with the file, if it covers the disk") {
  const auto file = make_image({.size = 9 * mib, .block_size = 2 * mib});
  must(file->resize(5 * mib));
  poke(*file, bat_offset + 8 * 4, 4 * mib | 6);
  CHECK(must(read(file)->extent_at(8 * mib, 9 * mib)) ==
        Extent{8 * mib, mib, State::data, 4 * mib});
  must(file->resize(5 * mib - 512));
  CHECK_FALSE(read(file)->extent_at(8 * mib, mib).has_value());
}

TEST_CASE("quirk 33: UNMAPPED of the drafts reads as zeros and is not written") {
  const auto file = make_image({});
  poke(*file, bat_offset, 5);
  const auto image = open(file);
  CHECK(must(image->extent_at(0, mib)) == Extent{0, mib, State::zero, 0});
  CHECK_FALSE(image->reserve(0, 512).has_value());
}

TEST_CASE("quirk 27: a fixed image without allocated blocks reads zeros and can be written") {
  const auto file = make_image({.type = ImageType::fixed});
  for (u64 block = 0; block < 8; ++block) poke(*file, bat_offset + 8 * block, 2);
  const auto image = open(file);
  CHECK(must(image->extent_at(0, 8 * mib)) == Extent{0, 8 * mib, State::zero, 0});
  const auto data = pattern(4096, 1);
  must(guest_write(*image, mib, data));
  CHECK(guest_read(*image, mib, 4096) == data);
  const u64 size = must(file->size());
  must(image->close());
  CHECK(must(file->size()) == size);
  require_clean(*file);
}

TEST_CASE("a table of holes costs no reads: 64 TiB in blocks of 1 MiB") {
  const auto memory = make_image({.size = 64 * tib});
  must(memory->resize(600 * mib));
  const auto file = std::make_shared<vdisk::test::CountingFile>(memory);
  poke(*memory, bat_offset + 8 * (40000000 + 40000000 / 4096), 550 * mib | 6);
  const auto image = read(file);
  file->reset();
  CHECK(must(image->extent_at(0, 64 * tib)).length == 40000000 * mib);
  CHECK(must(image->extent_at(40000001 * mib, 64 * tib)).length == 64 * tib - 40000001 * mib);
  CHECK(must(image->count_blocks()).allocated == 1);
  CHECK(file->counts().reads <= 20);
  const auto writable = open(file);
  file->reset();
  CHECK(must(writable->reserve(5 * tib, mib)).length == mib);
  CHECK(file->counts().reads <= 20);
}

TEST_CASE("ranges outside of the disk are the caller's fault") {
  const auto image = open(make_image({}));
  CHECK(image->extent_at(8 * mib, 1).error().code == Errc::invalid_argument);
  CHECK(image->extent_at(0, 0).error().code == Errc::invalid_argument);
  CHECK(image->reserve(8 * mib, 512).error().code == Errc::invalid_argument);
  CHECK(image->reserve(100, 512).error().code == Errc::invalid_argument);
  CHECK(image->commit({8 * mib, 512, State::data, 0}).error().code == Errc::invalid_argument);
  CHECK(image->discard(0, 100, State::zero).error().code == Errc::invalid_argument);
}

TEST_CASE("an image opened read-only is never written") {
  const auto image = read(make_image({}));
  CHECK(image->reserve(0, 512).error().code == Errc::write_protected);
  CHECK(image->discard(0, mib, State::zero).error().code == Errc::write_protected);
  CHECK(image->expand(16 * mib).error().code == Errc::write_protected);
  must(image->flush());
  must(image->close());
}
