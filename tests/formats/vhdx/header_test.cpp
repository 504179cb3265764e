// Rules X1 to X10: file, identifier, headers (FORMATS 5.2), and HOSTILE VHDX-00 to VHDX-13.
#include "formats/vhdx/header.h"

#include <limits>

#include <doctest/doctest.h>

#include "formats/vhdx/refusal.h"

using namespace vdisk;
using namespace vdisk::test;
using namespace vdisk::vhdx;

namespace {
constexpr u64 largest_number = std::numeric_limits<u64>::max();

VhdxBuilder dirty_builder() {
  VhdxBuilder builder;
  builder.log_guid = test_log_guid;
  return builder;
}
}  // namespace

TEST_CASE("a hand-built image opens without a warning") {
  const VhdxBuilder builder;
  const auto file = builder.build();
  const auto layout = read_layout(*file, {.access = Access::read_write});
  REQUIRE_MESSAGE(layout.has_value(), (layout ? "" : layout.error().message));
  CHECK(layout->warnings.empty());
  CHECK(layout->type() == ImageType::dynamic);
  CHECK(layout->creator == "vhdx_builder");
  CHECK(layout->headers.current.sequence_number == 8);
  CHECK(layout->headers.current_slot == 1);
  CHECK(to_string(layout->headers.current.data_write_guid) ==
        "d0000000-1111-2222-3333-444444444444");
  CHECK(layout->metadata.virtual_disk_size == 8 * mib);
  CHECK(to_string(layout->metadata.virtual_disk_id) == "1d000000-1111-2222-3333-444444444444");
  CHECK(layout->metadata.size_item_file_offset == builder.item_offset(1));
}

TEST_CASE("X1: a file shorter than the header section is truncated") {
  const auto file = VhdxBuilder{}.build();
  REQUIRE(file->resize(100 * kib).has_value());
  CHECK(refusal(*file) == Refusal{"X1", ErrorKind::truncated});
  REQUIRE(file->resize(0).has_value());
  CHECK(refusal(*file) == Refusal{"X1", ErrorKind::truncated});
}

TEST_CASE("X2: the file type identifier is required") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, 0, 'V', 1);
  CHECK(refusal(*file) == Refusal{"X2", ErrorKind::corrupt});
}

TEST_CASE("X3: at least one header is valid") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, header_place[0] + header_field::log_offset, 5, 1);
  poke(*file, header_place[1] + header_field::log_offset, 5, 1);
  CHECK(refusal(*file) == Refusal{"X3", ErrorKind::corrupt});
}

TEST_CASE("X4: one invalid header is tolerated with a warning") {
  for (int slot = 0; slot < 2; ++slot) {
    const auto file = VhdxBuilder{}.build();
    poke(*file, header_place[slot], filled(512, 0));  // torn
    CHECK(refusal(*file) == opens);
    CHECK(warns(*file, "X4"));
    CHECK(read_headers(*file)->current_slot == 1 - slot);
    CHECK(read_headers(*file)->current.sequence_number == (slot == 0 ? 8 : 7));
  }
}

TEST_CASE("X4: the newer of two valid headers wins, whatever the slot") {
  for (const bool first_newer : {false, true}) {
    VhdxBuilder builder;
    builder.sequence_numbers[0] = first_newer ? largest_number - 5000 : 3;
    builder.sequence_numbers[1] = first_newer ? 3 : largest_number - 5000;
    const auto file = builder.build();
    const int older = first_newer ? 1 : 0;
    poke(*file, header_place[older] + header_field::log_offset, 77 * mib, 8);
    seal_header(*file, older);
    CHECK(refusal(*file) == opens);
    CHECK(read_headers(*file)->current_slot == 1 - older);
  }
}

TEST_CASE("X5: equal sequence numbers are accepted for identical headers only") {
  VhdxBuilder builder;
  builder.sequence_numbers[0] = builder.sequence_numbers[1] = 1;
  const auto file = builder.build();
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
  CHECK(read_headers(*file)->identical);
  poke(*file, header_place[1] + header_field::data_write_guid, 1, 1);
  seal_header(*file, 1);
  CHECK(refusal(*file) == Refusal{"X5", ErrorKind::corrupt});
}

TEST_CASE("X6: the version of the current header is 1") {
  CHECK(refusal(*with_header_field(header_field::version, 2, 2)) ==
        Refusal{"X6", ErrorKind::unsupported});
}

TEST_CASE("X6: an unknown version of the older header does not matter") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, header_place[0] + header_field::version, 2, 2);
  seal_header(*file, 0);
  CHECK(refusal(*file) == opens);
}

TEST_CASE("X7: a log in use has version 0") {
  CHECK(refusal(*with_header_field(header_field::log_version, 1, 2, dirty_builder())) ==
        Refusal{"X7", ErrorKind::unsupported});
  CHECK(refusal(*with_header_field(header_field::log_version, 1, 2)) == opens);
}

TEST_CASE("X8: the log is aligned, behind the first MiB and inside the file") {
  const Refusal corrupt{"X8", ErrorKind::corrupt};
  CHECK(refusal(*with_header_field(header_field::log_length, mib + 4096, 4)) == corrupt);
  CHECK(refusal(*with_header_field(header_field::log_offset, 0, 8)) == corrupt);
  CHECK(refusal(*with_header_field(header_field::log_offset, mib + 512, 8)) == corrupt);
  CHECK(refusal(*with_header_field(header_field::log_offset, u64{1} << 63, 8)) == corrupt);
  CHECK(refusal(*with_header_field(header_field::log_offset, largest_number - mib + 1, 8)) ==
        corrupt);
  CHECK(refusal(*with_header_field(header_field::log_length, 4 * gib - mib, 4)) ==
        Refusal{"X8", ErrorKind::truncated});
}

TEST_CASE("X8: a log of more than 1 GiB is beyond the limit") {
  const auto file = with_header_field(header_field::log_length, 2 * gib, 4);
  REQUIRE(file->resize(8 * gib).has_value());
  CHECK(refusal(*file) == Refusal{"X8", ErrorKind::limit});
}

TEST_CASE("X9: no log means no LogGuid, and no writing") {
  CHECK(refusal(*with_header_field(header_field::log_length, 0, 4, dirty_builder())) ==
        Refusal{"X9", ErrorKind::corrupt});
  const auto file = with_header_field(header_field::log_length, 0, 4);
  CHECK(refusal(*file) == opens);
  CHECK(refusal(*file, {.access = Access::read_write}).kind == ErrorKind::state);
}

TEST_CASE("X10: reserved header bytes are ignored") {
  CHECK(refusal(*with_header_field(header_field::reserved, 0xFF, 1)) == opens);
}

TEST_CASE("X13: a dirty log must be replayed first, unless the caller says otherwise") {
  const auto file = dirty_builder().build();
  CHECK(read_layout(*file, {}).error().code == Errc::needs_replay);
  CHECK(refusal(*file, {.ignore_dirty_log = true}) == opens);
  CHECK(refusal(*file, {.access = Access::read_write, .ignore_dirty_log = true}).kind ==
        ErrorKind::state);
}

TEST_CASE("the last sequence numbers are kept: writing is refused before they wrap") {
  VhdxBuilder builder;
  builder.sequence_numbers[1] = largest_number;
  const auto file = builder.build();
  CHECK(refusal(*file) == opens);
  CHECK(refusal(*file, {.access = Access::read_write}).kind == ErrorKind::state);
  auto headers = *read_headers(*file);
  CHECK(update_header(*file, headers, headers.current).error().code == Errc::wrong_state);
}

TEST_CASE("a header update writes the other slot and makes it current") {
  const auto file = VhdxBuilder{}.build();
  auto headers = *read_headers(*file);
  Header changed = headers.current;
  changed.file_write_guid = *parse_guid("ABCDEF00-1111-2222-3333-444444444444");
  REQUIRE(update_header(*file, headers, changed).has_value());
  CHECK(headers.current_slot == 0);
  CHECK(peek(*file, header_place[0] + header_field::sequence_number, 8) == 9);
  CHECK(peek(*file, header_place[1] + header_field::sequence_number, 8) == 8);
  CHECK(peek(*file, header_place[0] + header_field::file_write_guid, 4) == 0xABCDEF00);
  const u64 stored = peek(*file, header_place[0] + 4, 4);
  seal_header(*file, 0);
  CHECK(peek(*file, header_place[0] + 4, 4) == stored);  // the CRC was right by hand, too
  REQUIRE(update_header(*file, headers, changed).has_value());
  CHECK(headers.current_slot == 1);
  CHECK(read_headers(*file)->current.sequence_number == 10);
}

TEST_CASE("quirk 23: the file size need not be a multiple of 1 MiB") {
  VhdxBuilder builder;
  builder.add_block(0, 0x11);
  const auto file = builder.build();
  REQUIRE(file->resize(*file->size() + 512).has_value());
  CHECK(refusal(*file, {.access = Access::read_write}) == opens);
}

TEST_CASE("quirk 24: the headers may have different DataWriteGuids") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, header_place[0] + header_field::data_write_guid, 1, 1);
  seal_header(*file, 0);
  CHECK(refusal(*file) == opens);
  CHECK(read_headers(*file)->current.data_write_guid.bytes[0] == 0xD0);
}

TEST_CASE("quirk 35: the creator may be empty, unterminated or no text at all") {
  const auto file = VhdxBuilder{}.build();
  poke(*file, 8, filled(512, 0));
  CHECK(read_layout(*file, {})->creator.empty());
  poke(*file, 8, wide(std::string(256, 'x')));
  CHECK(read_layout(*file, {})->creator == std::string(256, 'x'));
  poke(*file, 8, filled(512, 0xD8));  // lone surrogates
  CHECK(refusal(*file) == opens);
}

TEST_CASE("quirk 37: sequence numbers start anywhere") {
  VhdxBuilder builder;
  builder.sequence_numbers[0] = 0;
  builder.sequence_numbers[1] = 0x123456789ABCDEF0;
  CHECK(refusal(*builder.build(), {.access = Access::read_write}) == opens);
}
