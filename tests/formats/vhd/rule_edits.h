/// Breaking one rule of a VHD at a time, with checksums made right again, and what must follow.
#pragma once

#include <functional>

#include "image_access.h"

namespace vdisk::test {

inline constexpr u64 header_at = VhdBuilder::header_offset;
inline constexpr u64 table_at = VhdBuilder::table_offset;

/// Changes both footers in the same way and makes their checksums right.
inline Bytes with_footers(Bytes bytes, const std::function<void(Bytes&, u64)>& change) {
  for (const u64 at : {u64{0}, u64{bytes.size() - 512}}) {
    change(bytes, at);
    fix_vhd_footer(bytes, at);
  }
  return bytes;
}
inline Bytes with_end_footer(Bytes bytes, const std::function<void(Bytes&, u64)>& change) {
  change(bytes, bytes.size() - 512);
  fix_vhd_footer(bytes, bytes.size() - 512);
  return bytes;
}
inline Bytes with_header(Bytes bytes, const std::function<void(Bytes&, u64)>& change) {
  change(bytes, header_at);
  fix_vhd_header(bytes, header_at);
  return bytes;
}
inline Bytes fixed_image() {
  return make_fixed_vhd(pattern(0, 64 * kib, 3));
}
inline VhdBuilder small_child() {
  VhdBuilder builder = small_dynamic();
  builder.footer.disk_type = 4;
  builder.parent_unique_id = {1, 2, 3};
  builder.parent_time_stamp = 1000;
  builder.parent_name = utf16be("base.vhd");
  builder.locators = {{0x57327275, utf16le(".\\base.vhd")}, {0x57326B75, utf16le("C:\\base.vhd")}};
  return builder;
}

/// Reading gives the right content and this warning; nothing is written.
inline void check_opens(const Bytes& bytes, const Bytes& content, std::string_view rule = {}) {
  const auto file = memory_file(bytes);
  const auto image = open_sound(file);
  CHECK(read_all(*image) == content);
  if (!rule.empty()) CHECK(has_warning(*image, rule));
  CHECK(file->content() == bytes);
}
inline void check_write_refused(const Bytes& bytes, Errc code) {
  const auto file = memory_file(bytes);
  const auto image = open_vhd(file, Access::read_write);
  REQUIRE_FALSE(image.has_value());
  CHECK_MESSAGE(name(image.error().code) == name(code), image.error().message);
  CHECK(file->content() == bytes);
}
/// Opening for writing repairs, after which both footers are sound and equal.
inline void check_repaired(const Bytes& bytes, const Bytes& content) {
  const auto file = memory_file(bytes);
  {
    const auto image = open_sound(file, Access::read_write);
    CHECK(read_all(*image) == content);
  }
  const Bytes repaired = file->content();
  const Bytes head(repaired.begin(), repaired.begin() + 512);
  const Bytes end(repaired.end() - 512, repaired.end());
  CHECK(head == end);
  CheckReport report = check_bytes(repaired);
  CHECK(report.clean());
  check_opens(repaired, content);
}

}  // namespace vdisk::test
