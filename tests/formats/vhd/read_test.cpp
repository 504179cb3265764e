/// Reading: the three types, bitmaps at sector granularity, merged runs, and both footers.
#include "formats/formats.h"
#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

TEST_CASE("fixed: the map is the identity") {
  const Bytes content = pattern(0, 1 * mib, 3);
  const auto image = open_sound(memory_file(make_fixed_vhd(content)));
  CHECK(image->geometry().virtual_size == mib);
  CHECK(image->geometry().block_size == 0);
  CHECK(image->info().type == ImageType::fixed);
  CHECK(read_all(*image) == content);
  CHECK(*image->extent_at(512, 1024) == Extent{512, 1024, State::data, 512});
  CHECK(image->extent_at(mib - 512, mib)->length == 512);
}

TEST_CASE("dynamic: stored blocks are data, others absent, the last one is partial") {
  const VhdBuilder builder = small_dynamic();
  const auto image = open_sound(memory_file(builder.build()));
  CHECK(image->info().type == ImageType::dynamic);
  CHECK(read_all(*image) == content_of_small_dynamic());
  CHECK(*image->extent_at(0, 4 * mib) == Extent{0, 512 * kib, State::absent, 0});
  CHECK(*image->extent_at(512 * kib + 100, 4 * mib) ==
        Extent{512 * kib + 100, 512 * kib - 100, State::data, builder.place_of(1) + 512 + 100});
  CHECK(*image->extent_at(mib + 7, 4 * mib) == Extent{mib + 7, mib - 7, State::absent, 0});
  CHECK(*image->extent_at(2 * mib, 4 * mib) ==
        Extent{2 * mib, 128 * kib, State::data, builder.place_of(4) + 512});
  CHECK(image->count_blocks()->allocated == 2);
  CHECK(image->count_blocks()->total == 5);
}

TEST_CASE("dynamic: absent runs go on over many sectors of the BAT") {
  VhdBuilder builder;
  builder.block_size = 512 * kib;
  builder.footer.current_size = 1000 * 512 * kib;
  builder.blocks[700].data = pattern(0, 4096, 1);
  const auto image = open_sound(memory_file(builder.build()));
  CHECK(*image->extent_at(512, 1000 * mib) == Extent{512, 700 * 512 * kib - 512, State::absent, 0});
  CHECK(image->extent_at(701 * 512 * kib, 1000 * mib)->length == 299 * 512 * kib);
}

TEST_CASE("differencing: bits decide sector by sector, most significant bit first") {
  VhdBuilder builder;
  builder.footer.disk_type = 4;
  builder.block_size = 512 * kib;
  builder.footer.current_size = mib;
  builder.parent_unique_id[0] = 9;
  builder.blocks[0].data = pattern(0, 512 * kib, 1);
  builder.blocks[0].bitmap = Bytes(512);
  builder.blocks[0].bitmap[0] = std::byte{0x82};  // sectors 0 and 6
  builder.blocks[0].bitmap[1] = std::byte{0xFF};  // sectors 8 to 15
  const auto image = open_sound(memory_file(builder.build()));
  const u64 data = builder.place_of(0) + 512;
  CHECK(*image->extent_at(0, mib) == Extent{0, 512, State::data, data});
  CHECK(*image->extent_at(512, mib) == Extent{512, 5 * 512, State::absent, 0});
  CHECK(*image->extent_at(6 * 512 + 1, mib) ==
        Extent{6 * 512 + 1, 511, State::data, data + 6 * 512 + 1});
  CHECK(*image->extent_at(8 * 512, mib) == Extent{8 * 512, 8 * 512, State::data, data + 8 * 512});
  CHECK(*image->extent_at(16 * 512, mib) == Extent{16 * 512, mib - 16 * 512, State::absent, 0});
  const Bytes base = pattern(0, mib, 7);
  Bytes expected = base;
  for (const u64 sector : std::initializer_list<u64>{0, 6, 8, 9, 10, 11, 12, 13, 14, 15}) {
    std::ranges::copy(pattern(sector * 512, 512, 1),
                      expected.begin() + static_cast<std::ptrdiff_t>(sector * 512));
  }
  CHECK(read_all(*image, base) == expected);
}

TEST_CASE("differencing: runs cross the pages of a large bitmap") {
  VhdBuilder builder;
  builder.footer.disk_type = 4;
  builder.block_size = 8 * mib;  // 16384 sectors, 2048 bytes of bitmap
  builder.footer.current_size = 8 * mib;
  builder.parent_unique_id[0] = 9;
  builder.blocks[0].bitmap = Bytes(2048);
  for (u64 n = 500; n < 1030; ++n) builder.blocks[0].bitmap[n] = std::byte{0xFF};
  const auto image = open_sound(memory_file(builder.build()));
  CHECK(*image->extent_at(0, 8 * mib) == Extent{0, 500 * 8 * 512, State::absent, 0});
  const u64 first = 500 * 8 * 512;
  CHECK(*image->extent_at(first, 8 * mib) ==
        Extent{first, 530 * 8 * 512, State::data, builder.place_of(0) + 2048 + first});
}

TEST_CASE("probe: a sound footer at the end is surer than anything at the start") {
  const auto matched = [](const Bytes& bytes) {
    const auto file = memory_file(bytes);
    const u64 tail = std::min<u64>(bytes.size(), 1024);
    const std::span<const std::byte> all(bytes);
    return vhd::format.probe(
        {all.first(std::min<u64>(bytes.size(), 512)), all.last(tail), bytes.size()});
  };
  Bytes bytes = small_dynamic().build();
  CHECK(matched(bytes) == Match::tail);
  CHECK(matched(make_fixed_vhd(pattern(0, 4096, 1))) == Match::tail);
  Bytes legacy = make_fixed_vhd(pattern(0, 4096, 1));
  legacy.pop_back();
  CHECK(matched(legacy) == Match::tail);
  Bytes no_end(bytes.begin(), bytes.end() - 512);
  CHECK(matched(no_end) == Match::head);
  put_u8(bytes, 70, 0xEE);
  CHECK(matched(bytes) == Match::tail);
  put_u8(bytes, bytes.size() - 512 + 70, 0xEE);  // VHD-01: still recognised, refused by open
  CHECK(matched(bytes) == Match::head);
  CHECK(matched(pattern(0, 4096, 1)) == Match::none);
  CHECK(matched({}) == Match::none);
  CHECK(matched(make_vhd_footer({})) == Match::none);  // VHD-20d
}
