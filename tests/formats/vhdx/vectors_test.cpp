// The test vectors of FORMATS 6.1 and 6.5, computed there by an independent script.
#include <numeric>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "formats/vhdx/bat.h"
#include "formats/vhdx/header.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/log_entry.h"
#include "formats/vhdx/region_table.h"

using namespace vdisk;
using namespace vdisk::vhdx;

namespace {

/// The GUID whose stored bytes count up from `first`.
Guid stored_guid(u8 first) {
  RawGuid raw;
  std::iota(raw.bytes.begin(), raw.bytes.end(), first);
  return decode(raw);
}

u32 u32_at(std::span<const std::byte> bytes, std::size_t place) {
  return load<little_uint32_buf_t>(bytes.subspan(place)).value();
}

}  // namespace

TEST_CASE("header H has the published checksum and decodes to itself") {
  const Header header{.sequence_number = 1,
                      .file_write_guid = stored_guid(0x00),
                      .data_write_guid = stored_guid(0x10),
                      .log_length = mib,
                      .log_offset = mib};
  const auto slot = encode(header);
  CHECK(u32_at(slot, 4) == 0x7DB9F1B9);
  CHECK(decode_header(slot) == header);
}

TEST_CASE("region table R has the published checksum and GUID bytes") {
  const Region regions[]{{bat_region_id, 3 * mib, mib, true},
                         {metadata_region_id, 2 * mib, mib, true}};
  const auto copy = encode_region_table(regions);
  CHECK(copy.size() == 65536);
  CHECK(u32_at(copy, 4) == 0xC66B8CAE);
  CHECK(u32_at(copy, 16) == 0x2DC27766);  // 66 77 C2 2D
  CHECK(u32_at(copy, 48) == 0x8B7CA206);  // 06 A2 7C 8B
}

TEST_CASE("log entries L0 and L have the published checksums") {
  LogEntrySpec spec{.log_guid = stored_guid(0),
                    .sequence_number = 1,
                    .flushed_file_offset = 4 * mib,
                    .last_file_offset = 4 * mib};
  const auto empty = encode_log_entry(spec);
  CHECK(empty.size() == 4096);
  CHECK(u32_at(empty, 4) == 0x610687DE);

  std::vector<std::byte> data(4096);
  for (std::size_t index = 0; index < data.size(); ++index) data[index] = std::byte(index % 256);
  const LogPage pages[]{{3 * mib, data}};
  spec.sequence_number = 0x200000001;
  spec.pages = pages;
  const auto entry = encode_log_entry(spec);
  CHECK(entry.size() == 8192);
  CHECK(u32_at(entry, 4) == 0xCDDEA92C);
  constexpr u8 descriptor[]{0x64, 0x65, 0x73, 0x63, 0xfc, 0xfd, 0xfe, 0xff, 0x00, 0x01, 0x02,
                            0x03, 0x04, 0x05, 0x06, 0x07, 0x00, 0x00, 0x30, 0x00, 0x00, 0x00,
                            0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00};
  CHECK(std::ranges::equal(std::span(entry).subspan(64, 32), std::as_bytes(std::span(descriptor))));
  CHECK(parse_log_entry(entry, {stored_guid(0), mib}).has_value());
}

TEST_CASE("the chunk ratio follows block and sector size") {
  const u32 blocks_mib[]{1, 2, 8, 16, 32, 64, 128, 256};
  const u64 ratios_512[]{4096, 2048, 512, 256, 128, 64, 32, 16};
  for (std::size_t index = 0; index < std::size(blocks_mib); ++index) {
    const auto block_size = static_cast<u32>(blocks_mib[index] * mib);
    const BatLayout small({gib, block_size, 512, false});
    const BatLayout large({gib, block_size, 4096, false});
    CHECK(small.chunk_ratio() == ratios_512[index]);
    CHECK(large.chunk_ratio() == 8 * ratios_512[index]);
    CHECK(small.chunk_size() == 4 * gib);
    CHECK(large.chunk_size() == 32 * gib);
  }
}

TEST_CASE("the number of BAT entries is as published") {
  struct Row {
    u64 size;
    u64 block_mib;
    u32 sector;
    u64 ratio, blocks, chunks, entries, differencing_entries;
  };
  const Row rows[]{
      {3 * mib, 1, 512, 4096, 3, 1, 3, 4097},
      {gib, 32, 512, 128, 32, 1, 32, 129},
      {4 * gib, 2, 512, 2048, 2048, 1, 2048, 2049},
      {4 * gib + 512, 2, 512, 2048, 2049, 2, 2050, 4098},
      {10 * gib, 1, 512, 4096, 10240, 3, 10242, 12291},
      {127 * gib, 32, 512, 128, 4064, 32, 4095, 4128},
      {127 * gib, 2, 512, 2048, 65024, 32, 65055, 65568},
      {127 * gib, 2, 4096, 16384, 65024, 4, 65027, 65540},
      {2040 * gib, 32, 512, 128, 65280, 510, 65789, 65790},
      {64 * tib, 1, 512, 4096, 67108864, 16384, 67125247, 67125248},
      {64 * tib, 2, 512, 2048, 33554432, 16384, 33570815, 33570816},
      {64 * tib, 32, 512, 128, 2097152, 16384, 2113535, 2113536},
      {64 * tib, 256, 512, 16, 262144, 16384, 278527, 278528},
      {64 * tib, 256, 4096, 128, 262144, 2048, 264191, 264192},
  };
  for (const Row& row : rows) {
    CAPTURE(row.size);
    CAPTURE(row.block_mib);
    const auto block_size = static_cast<u32>(row.block_mib * mib);
    const BatLayout plain({row.size, block_size, row.sector, false});
    const BatLayout child({row.size, block_size, row.sector, true});
    CHECK(plain.chunk_ratio() == row.ratio);
    CHECK(plain.payload_block_count() == row.blocks);
    CHECK(plain.chunk_count() == row.chunks);
    CHECK(plain.entry_count() == row.entries);
    CHECK(child.entry_count() == row.differencing_entries);
  }
}

TEST_CASE("BAT indices interleave payload and bitmap entries") {
  const BatLayout layout({127 * gib, 32 * mib, 512, true});
  const u64 blocks[]{0, 127, 128, 255, 256};
  const u64 indices[]{0, 127, 129, 256, 258};
  for (std::size_t place = 0; place < std::size(blocks); ++place) {
    CHECK(layout.payload_index(blocks[place]) == indices[place]);
    CHECK(layout.block_of_index(indices[place]) == blocks[place]);
    CHECK_FALSE(layout.is_bitmap_index(indices[place]));
  }
  const u64 bitmaps[]{128, 257, 386};
  for (u64 chunk = 0; chunk < std::size(bitmaps); ++chunk) {
    CHECK(layout.bitmap_index(chunk) == bitmaps[chunk]);
    CHECK(layout.chunk_of_index(bitmaps[chunk]) == chunk);
    CHECK(layout.is_bitmap_index(bitmaps[chunk]));
  }
  CHECK(layout.bitmap_bytes_per_block() == 8 * kib);
}

TEST_CASE("BAT entries are coded as published") {
  CHECK(encode(PayloadState::fully_present, 4 * mib) == 0x0000000000400006);
  CHECK(encode(PayloadState::partially_present, 37 * mib) == 0x0000000002500007);
  CHECK(decode_bat_entry(0x2500007) == BatEntry{7, 37 * mib});
  CHECK(reserved_bits_clear(0x2500007));
  CHECK_FALSE(reserved_bits_clear(0x2500008));
  CHECK_FALSE(reserved_bits_clear(0x2580007));
}
