// The row of the format: probing, and a dirty image from recovery to the guest's bytes
// (HOSTILE VHDX-70 to VHDX-83).
#include "formats/vhdx/vhdx.h"

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"
#include "io/overlay_file.h"
#include "support/counting_file.h"

using namespace vdisk;
using namespace vdisk::test;

namespace {

/// Block 3 is at 4 MiB, filled with 0x33; only the log knows it.
VhdxBuilder with_block_in_log(u64 raw_entry) {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  builder.contents[4 * mib] = filled(mib, 0x33);
  Bytes page(4096);
  const Bytes entry = little(raw_entry, 8);
  std::ranges::copy(entry, page.begin() + 3 * 8);
  builder.log = {{.sequence_number = 40, .offset = 0, .tail = 0},
                 {.sequence_number = 41,
                  .offset = 0x1000,
                  .tail = 0x1000,
                  .writes = {{3 * mib, page}},
                  .flushed_file_offset = 5 * mib,
                  .last_file_offset = 5 * mib}};
  return builder;
}

Match probe(std::span<const std::byte> head) {
  return vhdx::format.probe({.head = head, .tail = {}, .file_size = head.size()});
}

}  // namespace

TEST_CASE("the signature at the start of the file is what makes a VHDX") {
  const Bytes head = VhdxBuilder{}.build()->content();
  CHECK(probe(std::span(head).first(512)) == Match::head);
  CHECK(probe(std::span(head).first(8)) == Match::head);
  CHECK(probe(std::span(head).first(7)) == Match::none);
  CHECK(probe({}) == Match::none);
  CHECK(probe(Bytes(512)) == Match::none);
}

TEST_CASE("X13: a dirty image is not opened before its log was replayed") {
  const auto file = with_block_in_log(4 * mib | 6).build();
  CHECK(*vhdx::format.needs_recovery(*file));
  const auto image = vhdx::format.open(file, {});
  REQUIRE_FALSE(image.has_value());
  CHECK(image.error().code == Errc::needs_replay);
}

TEST_CASE("a dirty image read through an overlay shows what was logged, and is not changed") {
  const auto file = with_block_in_log(4 * mib | 6).build();
  const Bytes before = file->content();
  const auto overlay = *OverlayFile::create(file);
  REQUIRE(vhdx::format.recover(*overlay).has_value());
  const auto image = vhdx::format.open(overlay, {});
  REQUIRE(image.has_value());
  CHECK((*image)->extent_at(3 * mib, 8 * mib) == Extent{3 * mib, mib, State::data, 4 * mib});
  CHECK((*image)->extent_at(0, 8 * mib) == Extent{0, 3 * mib, State::absent, 0});
  CHECK(file->content() == before);
  CHECK_FALSE(*vhdx::format.needs_recovery(*overlay));
  CHECK(*vhdx::format.needs_recovery(*file));
}

TEST_CASE("without the log the same image shows the old table") {
  const auto file = with_block_in_log(4 * mib | 6).build();
  const auto image = vhdx::format.open(file, {.ignore_dirty_log = true});
  REQUIRE(image.has_value());
  CHECK((*image)->extent_at(0, 8 * mib) == Extent{0, 8 * mib, State::absent, 0});
}

TEST_CASE("X39: a replayed entry that points outside the file fails when it is used") {
  const auto file = with_block_in_log(tib | 6).build();
  REQUIRE(vhdx::format.recover(*file).has_value());
  const auto image = vhdx::format.open(file, {});
  REQUIRE(image.has_value());
  CHECK(refusal_of((*image)->extent_at(3 * mib, mib)) == Refusal{"X39", ErrorKind::corrupt});
  CHECK((*image)->extent_at(0, 3 * mib).has_value());
}

TEST_CASE("X54: no sum of a file's numbers wraps into a valid place") {
  for (const u64 offset : {~u64{0} << 20, (~u64{0} << 20) - mib, u64{1} << 63}) {
    CAPTURE(offset);
    CHECK(refusal(*with_header_field(header_field::log_offset, offset, 8)).rule == "X8");
    CHECK(refusal(*with_region_field(region_entry(0, region_field::offset), offset, 8)).rule ==
          "X21");
    VhdxBuilder builder;
    builder.bat[0] = offset | 6;
    const auto image = vhdx::format.open(builder.build(), {});
    REQUIRE(image.has_value());
    CHECK(refusal_of((*image)->extent_at(0, mib)) == Refusal{"X39", ErrorKind::corrupt});
  }
}

TEST_CASE("opening reads little, whatever the size of the disk") {
  VhdxBuilder builder;
  builder.virtual_size = 64 * tib;
  builder.bat_length = 513 * mib;
  const auto file = std::make_shared<CountingFile>(builder.build());
  REQUIRE_FALSE(*vhdx::format.needs_recovery(*file));
  REQUIRE(vhdx::format.open(file, {}).has_value());
  CHECK(file->counts().reads <= 18);  // and two of the probe
  CHECK(file->counts().read_bytes <= 254 * kib);
  CHECK(file->counts().changes() == 0);
}
