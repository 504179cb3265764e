/// Traps that caught other implementations (HOSTILE section 6), one test each.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "support/memory_place.h"
#include "support/vhd_builder.h"
#include "vdisk/operations.h"

using namespace vdisk;
using test::filled;
using test::MemoryPlace;
using test::must;
using test::read;
using test::write_and_close;

namespace {

const std::vector<std::string> sparse_formats{"vhd", "vhdx"};

u32 smallest_block(const std::string& format) {
  return static_cast<u32>(format == "vhd" ? 512 * kib : mib);
}

Target with_block(u32 block_size) {
  Target target;
  target.block_size = block_size;
  return target;
}

u64 place_of(const Disk& disk, u64 offset) {
  const auto extent = disk.extent_at(offset, 512);
  REQUIRE(extent.has_value());
  REQUIRE(extent->state == State::data);
  return extent->file_offset;
}

/// Bytes of a VHDX header field in the newer header.
std::vector<std::byte> newest_header_field(const MemoryPlace& place,
                                           const std::filesystem::path& path, u64 field) {
  const auto bytes = place.bytes(path);
  const auto [first, second] = test::ImageBytes::headers;
  const bool second_wins = bytes.little64(second + 8) > bytes.little64(first + 8);
  return bytes.read((second_wins ? second : first) + field, 16);
}

}  // namespace

TEST_CASE("F1: zeros written to an absent block of a child hide the parent's data") {
  for (const auto& format : sparse_formats) {
    CAPTURE(format);
    const MemoryPlace place;
    const u32 block = smallest_block(format);
    const auto base = place.create("base." + format, 4 * block, with_block(block));
    write_and_close(place, base, 0, filled(4 * block, 0xAA));
    const auto child = place.snapshot(base, "child." + format, with_block(block));
    {
      auto disk = place.open(child, Access::read_write);
      must(disk.zero(0, block));
      must(disk.zero(block + 512, 1024));
      must(disk.write(2 * block, filled(block, 0)));
      must(disk.close());
    }
    const auto disk = place.open(child);
    CHECK(read(disk, 0, block) == filled(block, 0));
    CHECK(read(disk, block, 512) == filled(512, 0xAA));
    CHECK(read(disk, block + 512, 1024) == filled(1024, 0));
    CHECK(read(disk, block + 1536, 512) == filled(512, 0xAA));
    CHECK(read(disk, 2 * block, block) == filled(block, 0));
    CHECK(read(disk, 3 * block, block) == filled(block, 0xAA));
    CHECK(read(place.open(base), 0, 4 * block) == filled(4 * block, 0xAA));
  }
}

TEST_CASE("F2: requests that span the ends of VHD blocks leave the bitmaps between them alone") {
  const MemoryPlace place;
  const u32 block = smallest_block("vhd");
  const auto path = place.create("disk.vhd", 4 * block, with_block(block));
  const auto data = test::pattern(0, 2 * block, 5);
  {
    auto disk = place.open(path, Access::read_write);
    must(disk.write(block - 1024, data));
    CHECK(read(disk, block - 1024, 2 * block) == data);
    must(disk.close());
  }
  CHECK(place.check(path).clean());
  const auto disk = place.open(path);
  CHECK(read(disk, 0, block - 1024) == filled(block - 1024, 0));
  for (const u64 from : {u64{block} - 1024, u64{block} - 1, u64{block}, 2 * u64{block} - 700}) {
    CAPTURE(from);
    const auto part = read(disk, from, 3000);
    CHECK(std::equal(part.begin(), part.end(),
                     data.begin() + static_cast<std::ptrdiff_t>(from - (block - 1024))));
  }
  CHECK(read(disk, 3 * block, block) == filled(block, 0));
}

TEST_CASE("F3: an entry at the start of a page of the BAT moves no other entry") {
  for (const auto& format : sparse_formats) {
    CAPTURE(format);
    const MemoryPlace place;
    const u64 block = smallest_block(format);
    const auto path =
        place.create("disk." + format, 1026 * block, with_block(static_cast<u32>(block)));
    const std::vector<u64> blocks{1, 513, 1025, 129, 1024, 512, 128, 0};  // the first ones last
    for (const u64 index : blocks) {
      write_and_close(place, path, index * block, filled(512, static_cast<int>(index % 251 + 1)));
    }
    const auto disk = place.open(path);
    for (u64 index = 0; index < 1026; ++index) {
      const bool written = std::find(blocks.begin(), blocks.end(), index) != blocks.end();
      const int value = written ? static_cast<int>(index % 251 + 1) : 0;
      CHECK(read(disk, index * block, 512) == filled(512, value));
    }
    CHECK(place.check(path).clean());
    CHECK(disk.count_blocks()->allocated == blocks.size());
  }
}

TEST_CASE("F4: a last block that the disk does not fill is written, read and grown") {
  for (const auto& format : sparse_formats) {
    CAPTURE(format);
    const MemoryPlace place;
    const u64 block = smallest_block(format);
    const u64 size = 2 * block + 1536;
    const auto path = place.create("disk." + format, size, with_block(static_cast<u32>(block)));
    write_and_close(place, path, 2 * block, filled(1536, 7));
    {
      const auto disk = place.open(path);
      CHECK(read(disk, 2 * block, 1536) == filled(1536, 7));
      std::vector<std::byte> beyond(512);
      CHECK_FALSE(disk.read(size, beyond).has_value());
    }
    ExpandOptions options{.path = path, .size = 3 * block, .open = place.options()};
    options.open.access = Access::read_write;
    Progress progress;
    REQUIRE(expand(options, progress).has_value());
    const auto disk = place.open(path);
    CHECK(read(disk, 2 * block, 1536) == filled(1536, 7));
    CHECK(read(disk, size, block - 1536) == filled(block - 1536, 0));
  }
}

TEST_CASE("F5: a child larger than its parent reads zeros behind the parent's end") {
  for (const auto& format : sparse_formats) {
    CAPTURE(format);
    const MemoryPlace place;
    const u64 block = smallest_block(format);
    const auto base = place.create("base." + format, block + 512);
    write_and_close(place, base, 0, filled(block + 512, 3));
    CreateOptions larger;
    larger.target.path = "/disks/child." + format;
    larger.parent = base;
    larger.size = 3 * block;
    larger.open = place.options();
    Progress progress;
    REQUIRE(create(larger, progress).has_value());
    write_and_close(place, larger.target.path, block + 1024, filled(512, 4));
    const auto disk = place.open(larger.target.path);
    CHECK(read(disk, block, 512) == filled(512, 3));
    CHECK(read(disk, block + 512, 512) == filled(512, 0));
    CHECK(read(disk, block + 1024, 512) == filled(512, 4));
    CHECK(read(disk, block + 1536, 2 * block - 1536) == filled(2 * block - 1536, 0));
  }
}

TEST_CASE("F6: the write ids of a VHDX change with the first write of an opening, and only then") {
  constexpr u64 file_write = 16;
  constexpr u64 data_write = 32;
  const MemoryPlace place;
  const auto path = place.create("disk.vhdx", 4 * mib);
  const auto field = [&](u64 at) { return newest_header_field(place, path, at); };
  const auto file_id = field(file_write);
  const auto data_id = field(data_write);
  must(place.open(path, Access::read_write).close());
  CHECK(field(data_write) == data_id);
  auto disk = place.open(path, Access::read_write);
  must(disk.write(0, filled(512, 1)));
  const auto first_file_id = field(file_write);
  const auto first_data_id = field(data_write);
  CHECK(first_file_id != file_id);
  CHECK(first_data_id != data_id);
  must(disk.write(mib, filled(512, 2)));
  must(disk.flush());
  CHECK(field(data_write) == first_data_id);
  must(disk.close());
  CHECK(field(data_write) == first_data_id);
  write_and_close(place, path, 0, filled(512, 3));
  CHECK(field(data_write) != first_data_id);
}

TEST_CASE("F7: space that a discard frees is not used again before the discard is durable") {
  const MemoryPlace place;
  const auto path = place.create("disk.vhdx", 8 * mib, with_block(static_cast<u32>(mib)));
  write_and_close(place, path, 0, filled(mib, 1));
  auto disk = place.open(path, Access::read_write);
  const u64 freed = place_of(disk, 0);
  must(disk.discard(0, mib));
  must(disk.write(mib, filled(mib, 2)));
  CHECK(place_of(disk, mib) != freed);
  must(disk.flush());
  must(disk.flush());
  must(disk.flush());
  bool used_again = false;
  for (u64 block = 2; block < 8; ++block) {
    must(disk.write(block * mib, filled(mib, 3)));
    must(disk.flush());
    used_again = used_again || place_of(disk, block * mib) == freed;
  }
  CHECK(used_again);
  CHECK(read(disk, 0, mib) == filled(mib, 0));
}

TEST_CASE("F8: a block in state ZERO keeps no place in the file") {
  const MemoryPlace place;
  const auto path = place.create("disk.vhdx", 4 * mib, with_block(static_cast<u32>(mib)));
  write_and_close(place, path, 0, filled(2 * mib, 1));
  {
    auto disk = place.open(path, Access::read_write);
    must(disk.zero(0, mib));
    must(disk.close());
  }
  const auto bytes = place.bytes(path);
  constexpr u64 state_bits = 7;
  const u64 entry = bytes.little64(bytes.bat());
  CHECK((entry & ~state_bits) == 0);
  CHECK(((entry & state_bits) == 0 || (entry & state_bits) == 2));
  CHECK(read(place.open(path), 0, mib) == filled(mib, 0));
}

TEST_CASE("F9: the size of a VHD is CurrentSize, whatever its creator and geometry") {
  for (const char* creator : {"vpc ", "qemu", "vs  ", "win ", "tap", "????"}) {
    for (const auto& geometry : {std::array<u8, 4>{0, 0, 0, 0}, std::array<u8, 4>{0, 100, 4, 17},
                                 std::array<u8, 4>{0xFF, 0xFF, 16, 255}}) {
      CAPTURE(creator);
      test::VhdBuilder builder;
      builder.footer.creator_application = creator;
      builder.footer.geometry = geometry;
      builder.footer.current_size = 5 * mib + 512;
      const MemoryPlace place;
      auto file = place.files->create_beside("/disks/disk.vhd").value();
      must(file->write_at(0, builder.build()));
      must(place.files->publish(*file, "/disks/disk.vhd", false));
      file.reset();
      CHECK(place.open("/disks/disk.vhd").size() == 5 * mib + 512);
    }
  }
}
