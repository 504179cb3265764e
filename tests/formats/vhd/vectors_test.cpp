/// The published vectors of FORMATS 6.2 - 6.4, and footers written by other programs.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "formats/vhd/block_scan.h"
#include "formats/vhd/chs.h"
#include "formats/vhd/dynamic_header.h"
#include "formats/vhd/footer.h"
#include "formats/vhd/timestamp.h"
#include "image_access.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

vhd::Footer vector_footer(vhd::DiskType type, u64 size) {
  vhd::Footer footer;
  footer.creator_application = {'w', 'i', 'n', ' '};
  footer.creator_version = 0x000A0000;
  footer.creator_host_os = {'W', 'i', '2', 'k'};
  footer.original_size = size;
  footer.disk_type = static_cast<u32>(type);
  footer.data_offset = type == vhd::DiskType::fixed ? vhd::no_offset : 512;
  for (u8 n = 0; n < 16; ++n) footer.unique_id.bytes[n] = n;
  set_current_size(footer, size);
  return footer;
}

u32 encoded_checksum(const vhd::Footer& footer) {
  return encode_footer(footer).checksum.value();
}

struct ChsRow {
  u64 size;
  u32 cylinders, heads, sectors;
};

}  // namespace

TEST_CASE("6.2: checksums of footers F1, F2, F3") {
  CHECK(encoded_checksum(vector_footer(vhd::DiskType::fixed, 3 * mib)) == 0xFFFFF089);
  CHECK(encoded_checksum(vector_footer(vhd::DiskType::dynamic, 127 * gib)) == 0xFFFFF484);
  CHECK(encoded_checksum(vector_footer(vhd::DiskType::fixed, 2040 * gib)) == 0xFFFFEC4D);
  CHECK(vhd_checksum(Bytes(512), 64) == 0xFFFFFFFF);
}

TEST_CASE("6.2: checksum of dynamic header D2") {
  vhd::DynamicHeader header;
  header.table_offset = 0x600;
  header.max_table_entries = 65024;
  header.block_size = 2 * mib;
  CHECK(encode_dynamic_header(header).checksum.value() == 0xFFFFF379);
}

TEST_CASE("6.2: the Azure footer") {
  VhdFooterFields fields;
  fields.time_stamp = 0x2EC79B96;
  fields.creator_application = "wa";
  fields.creator_version = 0x00070000;
  fields.current_size = 5 * gib;
  fields.geometry = {0x28, 0xA2, 0x10, 0x3F};
  fields.disk_type = 2;
  fields.unique_id = {0x8C, 0x54, 0xDF, 0x94, 0xBD, 0x35, 0x71, 0x4C,
                      0x94, 0x5F, 0xE5, 0x44, 0x44, 0x53, 0x92, 0x1A};
  const Bytes bytes = make_vhd_footer(fields);
  CHECK(get_u32(bytes, 64) == 0xFFFFE747);
  REQUIRE(vhd::classify_footer(bytes) == vhd::FooterState::valid);
  const vhd::Footer footer = vhd::decode_footer(bytes);
  CHECK(creator_text(footer) == "wa 7.0");
  const Chs computed = vhd::chs_for_size(5 * gib);
  CHECK(computed.cylinders == 0x28A2);
  CHECK(computed.heads == 16);
  CHECK(computed.sectors == 63);
  CHECK(encoded_checksum(footer) == 0xFFFFE747);
}

TEST_CASE("6.3: geometry of sizes") {
  constexpr ChsRow rows[] = {
      {3 * mib, 90, 4, 17},
      {4 * mib, 120, 4, 17},
      {32 * mib, 963, 4, 17},
      {100 * mib, 1003, 12, 17},
      {127 * mib, 1019, 15, 17},
      {504 * mib, 1024, 16, 63},
      {512 * mib, 1040, 16, 63},
      {gib, 2080, 16, 63},
      {2 * gib, 4161, 16, 63},
      {10 * gib, 20805, 16, 63},
      {30 * gib, 62415, 16, 63},
      {u64{66059280} * 512, 16191, 16, 255},
      {40 * gib, 20560, 16, 255},
      {100 * gib, 51400, 16, 255},
      {127 * gib, 65278, 16, 255},
      {u64{267382800} * 512, 65535, 16, 255},
      {128 * gib, 65535, 16, 255},
      {2040 * gib, 65535, 16, 255},
      {u64{1079296}, 31, 4, 17},
      {u64{104865792}, 1004, 12, 17},
      {u64{1073995776}, 2081, 16, 63},
      {u64{136365219840}, 65279, 16, 255},
  };
  for (const ChsRow& row : rows) {
    CAPTURE(row.size);
    const Chs chs = vhd::chs_for_size(row.size);
    CHECK(chs.cylinders == row.cylinders);
    CHECK(chs.heads == row.heads);
    CHECK(chs.sectors == row.sectors);
    CHECK(vhd::bytes_of_chs(chs) <= row.size);
  }
}

TEST_CASE("6.4: table sizes and places of the first block") {
  struct Row {
    u64 size;
    u32 block_size;
    u64 entries, table_end, place;
  };
  constexpr Row rows[] = {
      {3 * mib, 2 * mib, 2, 0x800, 0xE00},
      {gib, 2 * mib, 512, 0xE00, 0xE00},
      {gib, 512 * kib, 2048, 0x2600, 0x2E00},
      {127 * gib, 2 * mib, 65024, 0x3FE00, 0x3FE00},
      {2040 * gib, 2 * mib, 1044480, 0x3FC600, 0x3FCE00},
  };
  for (const Row& row : rows) {
    CAPTURE(row.size);
    CHECK(divide_up(row.size, row.block_size) == row.entries);
    CHECK(1536 + vhd::table_bytes(row.entries) == row.table_end);
    const vhd::BlockShape shape{vhd::bitmap_bytes(row.block_size), row.block_size};
    CHECK(vhd::aligned_place(row.table_end, shape) == row.place);
  }
}

TEST_CASE("a fully allocated disk of 2040 GiB fits into 32-bit sector numbers") {
  const vhd::BlockShape shape{512, 2 * mib};
  const u64 first = vhd::aligned_place(0x3FC600, shape);
  const u64 stride = vhd::aligned_place(first + shape.footprint(), shape) - first;
  CHECK((first + (1044480 - 1) * stride) / 512 < 0xFFFFFFFE);
}

TEST_CASE("time stamps saturate at both ends") {
  static_assert(vhd::to_time_stamp(0) == 0);
  static_assert(vhd::to_time_stamp(-5) == 0);
  static_assert(vhd::to_time_stamp(vhd::vhd_epoch) == 0);
  static_assert(vhd::to_time_stamp(vhd::vhd_epoch + 7) == 7);
  static_assert(vhd::to_time_stamp(i64{1} << 40) == 0xFFFFFFFF);
  static_assert(vhd::to_time_stamp(vhd::vhd_epoch + 0xFFFFFFFF) == 0xFFFFFFFF);
  CHECK(vhd::to_unix_time(0) == 946684800);
}

TEST_CASE("footers of the wild are valid and survive decoding") {
  const char* folder = std::getenv("VDISK_SHARED_IMAGES");
  if (folder == nullptr) {
    MESSAGE("skipped: VDISK_SHARED_IMAGES names no folder of real images");
    return;
  }
  for (const char* file : {"vhdattach-footer-0.bin", "vhdattach-footer-1.bin",
                           "vhdattach-footer-3.bin", "vhdattach-footer-5.bin"}) {
    CAPTURE(file);
    std::ifstream stream(std::filesystem::path(folder) / file, std::ios::binary);
    std::array<char, 512> text{};
    REQUIRE(stream.read(text.data(), text.size()));
    const auto bytes = std::as_bytes(std::span(text));
    REQUIRE(vhd::classify_footer(bytes) == vhd::FooterState::valid);
    const vhd::RawFooter again = encode_footer(vhd::decode_footer(bytes));
    CHECK(std::ranges::equal(bytes_of(again), bytes));
  }
}
