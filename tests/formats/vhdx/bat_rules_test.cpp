// Rules X37 to X44 for single entries (FORMATS 5.2), and HOSTILE VHDX-60 to VHDX-68.
#include "formats/vhdx/bat_rules.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {

/// 8 blocks of 1 MiB, two of them placed at 4 and 5 MiB.
Layout layout_of(bool has_parent) {
  VhdxBuilder builder;
  builder.has_parent = has_parent;
  builder.add_block(0, 0x11);
  builder.add_block(1, 0x22);
  auto layout = read_layout(*builder.build(), {});
  REQUIRE(layout.has_value());
  return *layout;
}

Refusal payload_refusal(u64 raw, bool has_parent = false) {
  return refusal_of(validate_payload_entry(layout_of(has_parent), 0, raw));
}
Refusal bitmap_refusal(u64 raw) {
  return refusal_of(validate_bitmap_entry(layout_of(true), 0, raw));
}

const Refusal corrupt_place{"X39", ErrorKind::corrupt};
const Refusal truncated_place{"X39", ErrorKind::truncated};
const Refusal over_something{"X40", ErrorKind::corrupt};
const Refusal corrupt_state{"X38", ErrorKind::corrupt};

}  // namespace

TEST_CASE("a payload entry is placed where the layout says") {
  const VhdxBuilder builder;
  const Layout layout = layout_of(false);
  CHECK(bat_entry_offset(layout, 5) == builder.bat_entry_offset(5));
  const auto entry = validate_payload_entry(layout, 0, 4 * mib | 6);
  REQUIRE(entry.has_value());
  CHECK(entry->file_offset == 4 * mib);
  CHECK(entry->has_data());
}

TEST_CASE("X37: the reserved bits of an entry are 0") {
  for (int bit = 3; bit < 20; ++bit) {
    CAPTURE(bit);
    CHECK(payload_refusal(4 * mib | u64{1} << bit | 6) == Refusal{"X37", ErrorKind::corrupt});
  }
  CHECK(bitmap_refusal(4 * mib | 0x10 | 6) == Refusal{"X37", ErrorKind::corrupt});
}

TEST_CASE("X38: states 4 and 5 are reserved, 7 needs a parent") {
  CHECK(payload_refusal(4) == corrupt_state);
  CHECK(payload_refusal(5) == corrupt_state);
  CHECK(payload_refusal(4 * mib | 7) == corrupt_state);
  CHECK(payload_refusal(4 * mib | 7, true) == opens);
  for (const u64 state : {0u, 1u, 2u, 3u}) CHECK(payload_refusal(state) == opens);
}

TEST_CASE("X39: data lie behind the header section and inside the file") {
  CHECK(payload_refusal(6) == corrupt_place);
  CHECK(payload_refusal(6 * mib | 6) == truncated_place);
  CHECK(payload_refusal(13 * mib | 6) == truncated_place);  // 6 MiB and 8 blocks and a bitmap ...
  CHECK(payload_refusal(15 * mib | 6) == corrupt_place);    // ... never reach this far
  CHECK(payload_refusal((u64{1} << 62) | 6) == corrupt_place);
  CHECK(payload_refusal(~u64{0} << 20 | 6) == corrupt_place);  // the end wraps
  CHECK(payload_refusal(7, true) == corrupt_place);
}

TEST_CASE("X39: a block cut by the end of the file is truncated") {
  VhdxBuilder builder;
  builder.block_size = 2 * mib;
  builder.add_block(0, 0x11);
  const auto file = builder.build();
  REQUIRE(file->resize(builder.data_offset() + mib).has_value());
  const auto layout = read_layout(*file, {});
  CHECK(refusal_of(validate_payload_entry(*layout, 0, builder.bat[0])) == truncated_place);
}

TEST_CASE("X39, quirk 28: the last block may end with the disk instead of the block") {
  VhdxBuilder builder;
  builder.block_size = 2 * mib;
  builder.virtual_size = 2 * mib + 512 * kib;
  builder.add_block(0, 0x11);
  builder.add_block(1, 0x22);
  const u64 last = builder.bat[1] & ~(mib - 1);
  const auto file = builder.build();
  REQUIRE(file->resize(last + 512 * kib).has_value());
  CHECK(refusal_of(validate_payload_entry(*read_layout(*file, {}), 1, builder.bat[1])) == opens);
  REQUIRE(file->resize(last + 512 * kib - 512).has_value());
  CHECK(refusal_of(validate_payload_entry(*read_layout(*file, {}), 1, builder.bat[1])) ==
        truncated_place);
}

TEST_CASE("X40: data do not lie over log, metadata or BAT") {
  CHECK(payload_refusal(1 * mib | 6) == over_something);
  CHECK(payload_refusal(2 * mib | 6) == over_something);
  CHECK(payload_refusal(3 * mib | 6) == over_something);
  CHECK(bitmap_refusal(2 * mib | 6) == over_something);
}

TEST_CASE("X40: nor over an unknown region") {
  VhdxBuilder builder;
  builder.extra_regions = {{"77777777-1111-2222-3333-444444444444", 8 * mib, mib, 0}};
  const auto layout = read_layout(*builder.build(), {});
  CHECK(refusal_of(validate_payload_entry(*layout, 0, 8 * mib | 6)) == over_something);
  CHECK(refusal_of(validate_payload_entry(*layout, 0, 7 * mib | 6)) == opens);
}

TEST_CASE("X41, quirk 26: offsets of blocks without data may be anything") {
  for (const u64 state : {0u, 1u, 2u, 3u}) {
    CHECK(payload_refusal(mib | state) == opens);
    CHECK(payload_refusal(u64{1} << 62 | state) == opens);
  }
}

TEST_CASE("X42: a bitmap entry is not present or present") {
  CHECK(bitmap_refusal(0) == opens);
  CHECK(bitmap_refusal(4 * mib | 6) == opens);
  for (const u64 state : {1u, 2u, 3u, 4u, 5u, 7u}) {
    CHECK(bitmap_refusal(4 * mib | state) == Refusal{"X42", ErrorKind::corrupt});
  }
  CHECK(bitmap_refusal(6 * mib | 6) == truncated_place);
}

TEST_CASE("X43: a partially present block needs its bitmap") {
  const Layout layout = layout_of(true);
  CHECK(refusal_of(validate_bitmap_of_partial(layout, 0, {0, 0})) ==
        Refusal{"X43", ErrorKind::corrupt});
  CHECK(validate_bitmap_of_partial(layout, 0, {6, 4 * mib}).has_value());
}
