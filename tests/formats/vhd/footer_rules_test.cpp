/// The rules of the footers: V1 - V16, V29, V39 and V40 of FORMATS 5.1, with their consequences.
#include "rule_edits.h"

using namespace vdisk;
using namespace vdisk::test;

TEST_CASE("V1: a file too small for a disk is no image") {
  check_refused({}, Errc::not_image);
  check_refused(Bytes(1), Errc::not_image);
  VhdFooterFields fields;
  fields.current_size = 512;
  check_refused(make_vhd_footer(fields), Errc::not_image);  // VHD-20d
  Bytes short_one = make_vhd_footer(fields);
  short_one.resize(511);
  check_refused(short_one, Errc::not_image);
  fields.disk_type = 2;
  fields.current_size = 0;
  check_refused(make_vhd_footer(fields), Errc::not_image);  // VHD-20e
  Bytes two_footers = make_vhd_footer({.current_size = mib});
  two_footers.resize(1024);
  std::ranges::copy_n(two_footers.begin(), 512, two_footers.begin() + 512);
  check_refused(two_footers, Errc::footer_invalid);
  CHECK(has_finding(check_bytes(Bytes(100)), "V1"));
}

TEST_CASE("V2: without its end footer a dynamic image is read through the copy at 0") {
  Bytes bytes = small_dynamic().build();
  std::fill(bytes.end() - 512, bytes.end(), std::byte{});
  check_opens(bytes, content_of_small_dynamic(), "V2");
  check_repaired(bytes, content_of_small_dynamic());
  CHECK(has_finding(check_bytes(bytes), "V2"));
  CHECK_FALSE(check_bytes(bytes).clean());
}

TEST_CASE("V2: cut off by exactly the footer") {
  Bytes bytes = small_dynamic().build();
  bytes.resize(bytes.size() - 512);
  check_opens(bytes, content_of_small_dynamic(), "V2");
  check_repaired(bytes, content_of_small_dynamic());
}

TEST_CASE("V2: 4 KiB of zeros behind the footer") {
  Bytes bytes = small_dynamic().build();
  bytes.resize(bytes.size() + 4096);
  check_opens(bytes, content_of_small_dynamic(), "V2");
  check_repaired(bytes, content_of_small_dynamic());
}

TEST_CASE("V2: a fixed image without footer is refused") {
  Bytes bytes = fixed_image();
  bytes.resize(bytes.size() - 512);
  check_refused(bytes, Errc::footer_missing);
  CHECK(has_finding(check_bytes(bytes), "V2"));
}

TEST_CASE("V3: a damaged end footer is repaired from the copy at 0") {
  Bytes bytes = small_dynamic().build();
  std::fill(bytes.end() - 256, bytes.end(), std::byte{0x55});  // torn
  check_opens(bytes, content_of_small_dynamic(), "V3");
  check_repaired(bytes, content_of_small_dynamic());
}

TEST_CASE("V3: both copies damaged") {
  Bytes bytes = small_dynamic().build();
  put_u8(bytes, 70, 0xEE);
  put_u8(bytes, bytes.size() - 512 + 70, 0xEE);
  check_refused(bytes, Errc::footer_checksum);
  CHECK(has_finding(check_bytes(bytes), "V3"));
  Bytes fixed = fixed_image();
  put_u8(fixed, fixed.size() - 512 + 70, 0xEE);
  check_refused(fixed, Errc::footer_checksum);
}

TEST_CASE("V4: another major version is refused, another minor one is not written") {
  const auto version = [](u32 value) {
    return [value](Bytes& bytes, u64 at) { put_u32(bytes, at + 12, value); };
  };
  check_refused(with_footers(small_dynamic().build(), version(0x00020000)),
                Errc::unsupported_version);
  const Bytes minor = with_footers(small_dynamic().build(), version(0x00010001));
  check_opens(minor, content_of_small_dynamic(), "V4");
  check_write_refused(minor, Errc::unsupported_version);
}

TEST_CASE("V5: disk types") {
  struct Row {
    u32 type;
    Errc code;
  };
  for (const Row row :
       {Row{0, Errc::footer_invalid}, Row{1, Errc::unsupported}, Row{5, Errc::unsupported},
        Row{6, Errc::unsupported}, Row{0xFFFFFFFF, Errc::footer_invalid}}) {
    CAPTURE(row.type);
    const auto type = [&](Bytes& bytes, u64 at) { put_u32(bytes, at + 60, row.type); };
    check_refused(with_footers(small_dynamic().build(), type), row.code);
    check_refused(with_end_footer(fixed_image(), type), row.code);
  }
}

TEST_CASE("V6: features are not a reason to refuse") {
  for (const u32 features : {0U, 1U, 3U, 0x80000002U}) {
    const Bytes bytes = with_footers(small_dynamic().build(),
                                     [&](Bytes& b, u64 at) { put_u32(b, at + 8, features); });
    check_opens(bytes, content_of_small_dynamic());
    CHECK(has_finding(check_bytes(bytes), "V6") == (features != 3));
  }
}

TEST_CASE("V7: the data offset of a fixed disk is ignored; 32 bits of ones are usual") {
  Bytes bytes = with_end_footer(fixed_image(), [](Bytes& b, u64 at) { put_u64(b, at + 16, 512); });
  check_opens(bytes, pattern(0, 64 * kib, 3), "V7");
  bytes = with_end_footer(fixed_image(), [](Bytes& b, u64 at) { put_u64(b, at + 16, 0xFFFFFFFF); });
  check_opens(bytes, pattern(0, 64 * kib, 3));
  CHECK_FALSE(has_warning(*open_sound(memory_file(bytes)), "V7"));
}

TEST_CASE("V8: the data offset of a sparse disk must name a header inside the file") {
  const Bytes bytes = small_dynamic().build();
  for (const u64 offset :
       std::initializer_list<u64>{~u64{0}, 0, 511, 513, u64{1} << 63, ~u64{0} - 511, ~u64{0} - 1023,
                                  bytes.size(), bytes.size() - 512, bytes.size() - 1024}) {
    CAPTURE(offset);
    check_refused(with_footers(bytes, [&](Bytes& b, u64 at) { put_u64(b, at + 16, offset); }),
                  Errc::footer_invalid);
  }
}

TEST_CASE("V9: current size zero is refused, an odd one is rounded down to sectors") {
  const auto size = [](u64 value) {
    return [value](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, value); };
  };
  check_refused(with_footers(small_dynamic().build(), size(0)), Errc::virtual_size_invalid);
  check_refused(with_end_footer(fixed_image(), size(511)), Errc::virtual_size_invalid);
  const Bytes odd = with_end_footer(fixed_image(), size(4096 + 511));
  check_opens(odd, pattern(0, 4096, 3), "V9");
}

TEST_CASE("V10: more than 2040 GiB is over the limit") {
  const auto size = [](u64 value) {
    return [value](Bytes& bytes, u64 at) { put_u64(bytes, at + 48, value); };
  };
  check_refused(with_footers(small_dynamic().build(), size(3 * tib)), Errc::limit);
  check_refused(with_footers(small_dynamic().build(), size(2040 * gib + 512)), Errc::limit);
  check_refused(with_end_footer(fixed_image(), size(3 * tib)), Errc::limit);
}

TEST_CASE("V11: a fixed disk larger than its file is truncated") {
  const Bytes bytes =
      with_end_footer(fixed_image(), [](Bytes& b, u64 at) { put_u64(b, at + 48, 8 * mib); });
  check_refused(bytes, Errc::file_size_invalid);
  CHECK(kind(Errc::file_size_invalid) == ErrorKind::truncated);
  CHECK(has_finding(check_bytes(bytes), "V11"));
}

TEST_CASE("V12: a gap between a fixed disk and its footer is ignored") {
  const Bytes bytes =
      with_end_footer(fixed_image(), [](Bytes& b, u64 at) { put_u64(b, at + 48, 32 * kib); });
  check_opens(bytes, pattern(0, 32 * kib, 3));
  CHECK(has_finding(check_bytes(bytes), "V12"));
  CHECK(check_bytes(bytes).clean());
}

TEST_CASE("V13: a zero unique id is a warning, and no child may be made of it") {
  const Bytes bytes = with_footers(small_dynamic().build(), [](Bytes& b, u64 at) {
    for (u64 n = 0; n < 16; ++n) put_u8(b, at + 68 + n, 0);
  });
  check_opens(bytes, content_of_small_dynamic(), "V13");
  CreateSpec spec;
  spec.type = ImageType::differencing;
  spec.virtual_size = mib;
  spec.parent = ParentSpec{};
  spec.parent->format = "vhd";
  spec.parent->file_name = "base.vhd";
  CHECK(vhd::format.complete(spec).error().code == Errc::invalid_argument);
}

TEST_CASE("V14: a saved state is read and written, not resized") {
  for (const u8 state : {u8{1}, u8{2}}) {
    const Bytes bytes =
        with_footers(small_dynamic().build(), [&](Bytes& b, u64 at) { put_u8(b, at + 84, state); });
    check_opens(bytes, content_of_small_dynamic());
    const auto image = open_sound(memory_file(bytes), Access::read_write);
    CHECK(image->info().saved_state == (state == 1));
    CHECK(has_warning(*image, "V14") == (state == 2));
    CHECK(write_image(*image, 0, pattern(0, 512, 9)).has_value());
    const auto expanded = image->expand(8 * mib);
    CHECK(expanded.has_value() == (state != 1));
    if (!expanded) CHECK(expanded.error().code == Errc::wrong_state);
  }
}

TEST_CASE("V15: reserved bytes of the footer are ignored and kept") {
  const Bytes bytes =
      with_footers(small_dynamic().build(), [](Bytes& b, u64 at) { put_u8(b, at + 300, 7); });
  check_opens(bytes, content_of_small_dynamic());
  CHECK(has_finding(check_bytes(bytes), "V15"));
  const auto file = memory_file(bytes);
  CHECK(open_sound(file, Access::read_write)->expand(8 * mib).has_value());
  CHECK(file->content().at(300) == std::byte{7});
}

TEST_CASE("V16: a damaged copy at 0 is repaired from the end footer") {
  for (const u64 at : {u64{0}, u64{70}, u64{48}}) {
    Bytes bytes = small_dynamic().build();
    put_u8(bytes, at, 0xEE);
    check_opens(bytes, content_of_small_dynamic(), "V16");
    check_repaired(bytes, content_of_small_dynamic());
    CHECK(has_finding(check_bytes(bytes), "V16"));
  }
}

TEST_CASE("V16: an older copy at 0 of the same image is replaced by the end footer") {
  Bytes bytes = small_dynamic().build();
  put_u64(bytes, 48, mib);  // as an interrupted expand leaves it
  fix_vhd_footer(bytes, 0);
  check_opens(bytes, content_of_small_dynamic(), "V16");
  check_repaired(bytes, content_of_small_dynamic());
}

TEST_CASE("V16: a copy at 0 that differs in the id alone is replaced by the end footer") {
  Bytes bytes = small_dynamic().build();
  put_u8(bytes, 68, 0xEE);  // as an interrupted change of the id leaves it
  fix_vhd_footer(bytes, 0);
  check_opens(bytes, content_of_small_dynamic(), "V16");
  check_repaired(bytes, content_of_small_dynamic());
}

TEST_CASE("V16: footers of two different images forbid to write") {
  Bytes bytes = small_dynamic().build();
  put_u8(bytes, 68, 0xEE);
  put_u8(bytes, 27, 0xEE);  // of the time stamp
  fix_vhd_footer(bytes, 0);
  check_opens(bytes, content_of_small_dynamic(), "V16");
  check_write_refused(bytes, Errc::footer_invalid);
}

TEST_CASE("V16: an end footer that the BAT does not cover gives way to the copy at 0") {
  const Bytes bytes = with_end_footer(small_dynamic().build(),
                                      [](Bytes& b, u64 at) { put_u64(b, at + 48, 64 * mib); });
  check_opens(bytes, content_of_small_dynamic(), "V16");
  check_write_refused(bytes, Errc::header_invalid);
}

TEST_CASE("V29: sizes that reach past signed 64-bit offsets") {
  for (const u64 size : {u64{1} << 63, ~u64{0} - 511}) {
    check_refused(
        with_footers(small_dynamic().build(), [&](Bytes& b, u64 at) { put_u64(b, at + 48, size); }),
        Errc::virtual_size_invalid);
    check_refused(
        with_end_footer(fixed_image(), [&](Bytes& b, u64 at) { put_u64(b, at + 48, size); }),
        Errc::virtual_size_invalid);
  }
}

TEST_CASE("V39: a time stamp in the future is no fault") {
  VhdBuilder builder = small_dynamic();
  builder.footer.time_stamp = 0xFFFFFFFF;
  check_opens(builder.build(), content_of_small_dynamic());
  CHECK(check_bytes(builder.build()).clean());
  CHECK(open_sound(memory_file(builder.build()))->info().created == 946684800 + 0xFFFFFFFFLL);
}

TEST_CASE("V40: geometry does not matter") {
  for (const std::array<u8, 4> geometry :
       {std::array<u8, 4>{0, 0, 0, 0}, std::array<u8, 4>{0xFF, 0xFF, 16, 255},
        std::array<u8, 4>{0x10, 0, 200, 63}, std::array<u8, 4>{0, 1, 1, 1}}) {
    VhdBuilder builder = small_dynamic();
    builder.footer.geometry = geometry;
    check_opens(builder.build(), content_of_small_dynamic());
    CHECK(check_bytes(builder.build()).clean());
  }
}
