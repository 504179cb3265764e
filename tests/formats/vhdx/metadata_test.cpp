// Rules X26 to X36, X45, X55 (FORMATS 5.2), and HOSTILE VHDX-40 to VHDX-58.
#include "formats/vhdx/metadata.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

constexpr std::string_view unknown_guid = "77777777-1111-2222-3333-444444444444";

Refusal refusal_with_entry(std::size_t index, u64 field, u64 value) {
  return refusal(*with_metadata_field(metadata_entry(index, field), value, 4));
}
/// Items: 0 file parameters, 1 size, 2 logical, 3 physical, 4 disk id.
Refusal refusal_with_item(std::size_t index, u64 value, std::size_t size) {
  return refusal(*with_item(index, value, size));
}

}  // namespace

TEST_CASE("X26: signature, count and reserved bytes of the metadata table") {
  const Refusal corrupt{"X26", ErrorKind::corrupt};
  CHECK(refusal(*with_metadata_field(0, 'M', 1)) == corrupt);
  CHECK(refusal(*with_metadata_field(item_field::entry_count, 2048, 2)) == corrupt);
  CHECK(refusal(*with_metadata_field(item_field::entry_count, 65535, 2)) == corrupt);
  CHECK(refusal(*with_metadata_field(8, 1, 2)) == corrupt);
  CHECK(refusal(*with_metadata_field(12, 1, 1)) == corrupt);
  CHECK(refusal(*with_metadata_field(31, 1, 1)) == corrupt);
}

TEST_CASE("X27: item ids are unique and not zero") {
  const Refusal corrupt{"X27", ErrorKind::corrupt};
  VhdxBuilder builder;
  builder.extra_items = {{std::string(size_guid), 6, little(16 * mib, 8)}};
  CHECK(refusal(*builder.build()) == corrupt);
  builder.extra_items = {{std::string(zero_guid), 0, little(0, 8)}};
  CHECK(refusal(*builder.build()) == corrupt);
}

TEST_CASE("X27: a user item may have the id of a system item") {
  VhdxBuilder builder;
  builder.extra_items = {{std::string(size_guid), 1, little(16 * mib, 8)}};
  const auto file = builder.build();
  CHECK(refusal(*file) == opens);
  CHECK(read_layout(*file, {})->metadata.virtual_disk_size == 8 * mib);
}

TEST_CASE("X28: items lie behind the table, inside the region, apart from each other") {
  const Refusal corrupt{"X28", ErrorKind::corrupt};
  CHECK(refusal_with_entry(1, item_field::offset, 0) == corrupt);
  CHECK(refusal_with_entry(1, item_field::offset, 64 * kib - 4) == corrupt);
  CHECK(refusal_with_entry(1, item_field::offset, mib) == corrupt);
  CHECK(refusal_with_entry(1, item_field::offset, mib - 4) == corrupt);
  CHECK(refusal_with_entry(1, item_field::offset, 0xFFFFFFFC) == corrupt);
  CHECK(refusal_with_entry(1, item_field::length, 0xFFFFFFFF) == corrupt);
  CHECK(refusal_with_entry(1, item_field::length, 0) == corrupt);  // offset without length
  CHECK(refusal_with_entry(1, item_field::offset, 64 * kib + 4) == corrupt);  // over item 0
}

TEST_CASE("X28: an item is at most 1 MiB long, even if the region could hold more") {
  VhdxBuilder builder;
  builder.extra_items = {{std::string(unknown_guid), 0, little(1, 8)}};
  const auto file = builder.build();
  // The metadata region moves behind everything and grows to 4 MiB.
  const u64 place = builder.data_offset();
  REQUIRE(file->resize(place + 4 * mib).has_value());
  Bytes region(mib);
  REQUIRE(file->read_at(builder.metadata_offset(), region).has_value());
  poke(*file, place, region);
  for (int copy = 0; copy < 2; ++copy) {
    poke(*file, region_table_place[copy] + region_entry(1, region_field::offset), place, 8);
    poke(*file, region_table_place[copy] + region_entry(1, region_field::length), 4 * mib, 4);
    seal_region_table(*file, copy);
  }
  CHECK(refusal(*file) == opens);
  poke(*file, place + metadata_entry(5, item_field::length), mib, 4);
  CHECK(refusal(*file) == opens);
  poke(*file, place + metadata_entry(5, item_field::length), 2 * mib, 4);
  CHECK(refusal(*file) == Refusal{"X28", ErrorKind::corrupt});
}

TEST_CASE("X29: item flags are known, and user items are never required") {
  const Refusal corrupt{"X29", ErrorKind::corrupt};
  CHECK(refusal_with_entry(0, item_field::flags, 8 | 4) == corrupt);
  CHECK(refusal_with_entry(0, item_field::reserved, 1) == corrupt);
  VhdxBuilder builder;
  builder.extra_items = {{std::string(unknown_guid), 1 | 4, little(1, 8)}};
  CHECK(refusal(*builder.build()) == corrupt);
}

TEST_CASE("X30: unknown required items and unfinished files are unsupported") {
  const Refusal unsupported{"X30", ErrorKind::unsupported};
  VhdxBuilder builder;
  builder.extra_items = {{std::string(unknown_guid), 4, little(1, 8)}};
  const auto unknown = read_layout(*builder.build(), {});
  CHECK(refusal_of(unknown) == unsupported);
  CHECK(unknown.error().message.find("77777777-1111") != std::string::npos);
  builder.extra_items = {{"71CC85F0-1B69-4E28-9558-C3BF83AE75D3", 4, {}}};
  const auto incomplete = read_layout(*builder.build(), {});
  CHECK(refusal_of(incomplete) == unsupported);
  CHECK(incomplete.error().message.find("incomplete file") != std::string::npos);
}

TEST_CASE("X30, quirk 36: optional items and those of openvmm are kept") {
  VhdxBuilder builder;
  builder.extra_items = {{std::string(unknown_guid), 0, little(1, 8)},
                         {"78888888-1111-2222-3333-444444444444", 1, little(1, 3)},
                         {"78888889-1111-2222-3333-444444444444", 2, {}},
                         {"DA02D7BC-3D3A-423C-AC88-2A36AB21479B", 6, little(255, 8)}};
  const auto file = builder.build();
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
  CHECK(read_layout(*file, {})->metadata.items.size() == 9);
}

TEST_CASE("X31: the five mandatory items are there with their exact lengths") {
  const Refusal corrupt{"X31", ErrorKind::corrupt};
  for (const std::size_t index : {0u, 1u, 2u, 3u, 4u}) {
    CAPTURE(index);
    const VhdxBuilder builder;
    auto file = with_metadata_field(metadata_entry(index, item_field::flags), 0, 4);
    poke(*file, builder.metadata_offset() + metadata_entry(index, item_field::guid),
         guid_bytes(unknown_guid));
    CHECK(refusal(*file) == corrupt);
  }
  CHECK(refusal_with_entry(1, item_field::length, 4) == corrupt);
  CHECK(refusal_with_entry(4, item_field::length, 17) == corrupt);
  CHECK(refusal(*with_metadata_field(item_field::entry_count, 0, 2)) == corrupt);
  auto empty = with_metadata_field(metadata_entry(1, item_field::length), 0, 4);
  poke(*empty, VhdxBuilder{}.metadata_offset() + metadata_entry(1, item_field::offset), 0, 4);
  CHECK(refusal(*empty) == corrupt);
}

TEST_CASE("X32: unusual flags of known items are a warning") {
  const auto not_required = with_metadata_field(metadata_entry(0, item_field::flags), 0, 4);
  CHECK(refusal(*not_required) == opens);
  CHECK(warns(*not_required, "X32"));
  const auto of_file = with_metadata_field(metadata_entry(1, item_field::flags), 4, 4);
  CHECK(warns(*of_file, "X32"));
}

TEST_CASE("X33: block size and flags of the file parameters") {
  for (const u64 size : {u64{0}, u64{1}, 512 * kib, 3 * mib, 512 * mib, 2 * gib, u64{0xFFFFFFFF}}) {
    CAPTURE(size);
    CHECK(refusal_with_item(0, size, 4) == Refusal{"X33", ErrorKind::corrupt});
  }
  const auto file = VhdxBuilder{}.build();
  poke(*file, VhdxBuilder{}.item_offset(0) + 4, 4, 4);
  CHECK(refusal(*file) == Refusal{"X33", ErrorKind::corrupt});
}

TEST_CASE("X34: sector sizes are 512 or 4096") {
  const Refusal corrupt{"X34", ErrorKind::corrupt};
  for (const u64 size : {0ull, 1ull, 513ull, 1024ull, 8192ull, 0xFFFFFFFFull, 0x80000000ull}) {
    CAPTURE(size);
    CHECK(refusal_with_item(2, size, 4) == corrupt);
    CHECK(refusal_with_item(3, size, 4) == corrupt);
  }
  CHECK(refusal_with_item(3, 520, 4) == corrupt);
  VhdxBuilder builder;
  builder.logical_sector_size = 4096;
  CHECK(refusal(*builder.build()) == opens);
}

TEST_CASE("X35: the disk has a size, up to 64 TiB, in whole sectors") {
  const Refusal corrupt{"X35", ErrorKind::corrupt};
  CHECK(refusal_with_item(1, 0, 8) == corrupt);
  CHECK(refusal_with_item(1, 1, 8) == corrupt);
  CHECK(refusal_with_item(1, 8 * mib + 256, 8) == corrupt);
  CHECK(refusal_with_item(1, u64{1} << 63, 8) == corrupt);
  CHECK(refusal_with_item(1, ~u64{511}, 8) == corrupt);
  CHECK(refusal_with_item(1, 64 * tib + 512, 8) == Refusal{"X35", ErrorKind::limit});
  CHECK(refusal_with_item(1, 65 * tib, 8) == Refusal{"X35", ErrorKind::limit});
}

TEST_CASE("X36: the BAT region holds the entries that the disk needs") {
  CHECK(refusal_with_item(1, 64 * tib, 8) == Refusal{"X36", ErrorKind::corrupt});
  CHECK(refusal_with_item(1, 128 * gib, 8) == Refusal{"X36", ErrorKind::corrupt});
  CHECK(refusal_with_item(1, 127 * gib, 8) == opens);
}

TEST_CASE("X36: a child needs the slots of whole chunks") {
  VhdxBuilder builder;
  builder.has_parent = true;
  builder.virtual_size = 128 * gib - 32 * mib;  // 131,040 blocks and 31 slots fit into 1 MiB ...
  builder.bat_length = mib;
  CHECK(refusal(*builder.build()) == Refusal{"X36", ErrorKind::corrupt});  // ... whole chunks not
  builder.has_parent = false;
  CHECK(refusal(*builder.build()) == opens);
}

TEST_CASE("X55: the largest disk opens without its 513 MiB of BAT being read") {
  VhdxBuilder builder;
  builder.virtual_size = 64 * tib;
  builder.bat_length = 513 * mib;
  const auto file = builder.build();
  CHECK(refusal(*file) == opens);
  CHECK(*file->allocated_size() < 2 * mib);
  builder.block_size = 256 * mib;
  builder.bat_length = 3 * mib;
  CHECK(refusal(*builder.build()) == opens);
}

TEST_CASE("X45: HasParent and parent locator belong together") {
  VhdxBuilder child;
  child.has_parent = true;
  CHECK(refusal(*child.build()) == opens);
  CHECK(read_layout(*child.build(), {})->type() == ImageType::differencing);

  auto no_item = with_metadata_field(item_field::entry_count, 5, 2, child);
  CHECK(refusal(*no_item) == Refusal{"X45", ErrorKind::corrupt});

  auto no_flag = child.build();
  poke(*no_flag, child.item_offset(0) + 4, 0, 4);
  CHECK(refusal(*no_flag) == opens);
  CHECK(warns(*no_flag, "X45"));
  CHECK_FALSE(read_layout(*no_flag, {})->metadata.locator.has_value());
}

TEST_CASE("quirk 22: metadata items come in any order") {
  const VhdxBuilder builder;
  const auto file = builder.build();
  const u64 table = builder.metadata_offset();
  Bytes first(item_field::entry_size);
  Bytes second(item_field::entry_size);
  REQUIRE(file->read_at(table + metadata_entry(0, 0), first).has_value());
  REQUIRE(file->read_at(table + metadata_entry(4, 0), second).has_value());
  poke(*file, table + metadata_entry(0, 0), second);
  poke(*file, table + metadata_entry(4, 0), first);
  CHECK(refusal(*file) == opens);
}

TEST_CASE("quirks 38 and 39: every power of two, and a disk that is no multiple of it") {
  for (u32 block_size = 1u << 20; block_size <= 256u << 20; block_size *= 2) {
    VhdxBuilder builder;
    builder.block_size = block_size;
    builder.virtual_size = 3 * u64{block_size} + 512;
    const auto layout = read_layout(*builder.build(), {});
    REQUIRE(layout.has_value());
    CHECK(layout->bat_layout.payload_block_count() == 4);
    CHECK(layout->bat_layout.payload_length(3) == 512);
  }
}

TEST_CASE("quirk 27: a fixed image may have unallocated blocks") {
  VhdxBuilder builder;
  builder.fixed = true;
  const auto layout = read_layout(*builder.build(), {});
  REQUIRE(layout.has_value());
  CHECK(layout->type() == ImageType::fixed);
}

TEST_CASE("quirk 32: a GUID may have its version nibble anywhere") {
  const VhdxBuilder builder;
  const auto file = builder.build();
  poke(*file, builder.item_offset(4), filled(16, 0xFF));
  CHECK(to_string(read_layout(*file, {})->metadata.virtual_disk_id) ==
        "ffffffff-ffff-ffff-ffff-ffffffffffff");
}
