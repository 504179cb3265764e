/// Decoding, encoding and the rules of the footer.
#include "formats/vhd/footer.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "formats/vhd/chs.h"

namespace vdisk::vhd {

namespace {

constexpr std::size_t checksum_offset = offsetof(RawFooter, checksum);
constexpr u32 reserved_feature = 2;
constexpr u32 known_features = 3;
/// Offsets and lengths of files are signed 64-bit numbers: nothing reaches this far (V29).
constexpr u64 beyond_any_file = u64{1} << 63;

RawFooter load_padded(std::span<const std::byte> bytes) {
  std::array<std::byte, footer_size> padded{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), padded.size()), padded.begin());
  return load<RawFooter>(padded);
}

/// blktap 0.1 and 1.1 set the hidden byte without computing the checksum anew (FORMATS 1.6).
bool may_ignore_hidden(const RawFooter& raw) {
  const u32 version = raw.creator_version.value();
  return created_by(decode_footer(bytes_of(raw)), "tap") && raw.reserved[0] == std::byte{1} &&
         (version == 0x00000001 || version == 0x00010001);
}

bool checksum_matches(const RawFooter& raw) {
  const u32 computed = vhd_checksum(bytes_of(raw), checksum_offset);
  const u32 stored = raw.checksum.value();
  return stored == computed || (stored == computed + 1 && may_ignore_hidden(raw));
}

void validate_version(const Footer& footer, u64 offset, Verdict& verdict) {
  if (footer.file_format_version == version_1_0) return;
  const bool same_major = footer.file_format_version >> 16 == version_1_0 >> 16;
  verdict.add(
      "V4", same_major ? Consequence::read_only : Consequence::reject,
      error_at(offset, Errc::unsupported_version,
               fmt::format("footer at {:#x}: file format version {:#010x}, expected {:#010x}",
                           offset, footer.file_format_version, version_1_0)));
}

void validate_type(const Footer& footer, u64 offset, Verdict& verdict) {
  if (footer.is_sparse() || footer.is(DiskType::fixed)) return;
  const bool reserved = footer.disk_type == 1 || footer.disk_type == 5 || footer.disk_type == 6;
  verdict.add("V5", Consequence::reject,
              error_at(offset, reserved ? Errc::unsupported : Errc::footer_invalid,
                       fmt::format("footer at {:#x}: disk type {}, expected 2, 3 or 4", offset,
                                   footer.disk_type)));
}

void validate_data_offset(const Footer& footer, const FooterPlace& place, Verdict& verdict) {
  const u64 value = footer.data_offset;
  if (!footer.is_sparse()) {
    if (value == no_offset || value == no_offset_32) return;
    verdict.add("V7", Consequence::warn,
                error_at(place.offset, Errc::footer_invalid,
                         fmt::format("footer at {:#x}: data offset {:#x} of a fixed disk, "
                                     "expected all ones",
                                     place.offset, value)));
    return;
  }
  if (is_aligned(value, sector_size) &&
      lies_within(value, dynamic_header_size, footer_size, place.data_limit)) {
    return;
  }
  verdict.add("V8", Consequence::reject,
              error_at(place.offset, Errc::footer_invalid,
                       fmt::format("footer at {:#x}: data offset {:#x}, expected a multiple of 512 "
                                   "between 0x200 and {:#x}",
                                   place.offset, value, place.data_limit)));
}

void validate_size(const Footer& footer, u64 offset, Verdict& verdict) {
  const u64 size = footer.current_size;
  const auto add = [&](std::string_view rule, Consequence consequence, Errc code,
                       std::string_view expected) {
    verdict.add(rule, consequence,
                error_at(offset, code,
                         fmt::format("footer at {:#x}: current size {} bytes, expected {}", offset,
                                     size, expected)));
  };
  if (size >= beyond_any_file) {
    add("V29", Consequence::reject, Errc::virtual_size_invalid, "at most 2040 GiB");
  } else if (size > max_virtual_size) {
    add("V10", Consequence::reject, Errc::limit, "at most 2040 GiB");
  } else if (size < sector_size) {
    add("V9", Consequence::reject, Errc::virtual_size_invalid, "at least 512");
  } else if (!is_aligned(size, sector_size)) {
    add("V9", Consequence::warn, Errc::virtual_size_invalid, "a multiple of 512");
  }
}

void validate_features(const Footer& footer, u64 offset, Verdict& verdict) {
  if ((footer.features & reserved_feature) != 0 && (footer.features & ~known_features) == 0) return;
  verdict.add("V6", Consequence::warn,
              error_at(offset, Errc::footer_invalid,
                       fmt::format("footer at {:#x}: features {:#x}, expected 0x2 or 0x3", offset,
                                   footer.features)));
}

void validate_identity(const Footer& footer, u64 offset, Verdict& verdict) {
  if (footer.unique_id.is_zero()) {
    verdict.add("V13", Consequence::warn,
                error_at(offset, Errc::footer_invalid,
                         fmt::format("footer at {:#x}: unique id is zero", offset)));
  }
  if (footer.saved_state > 1) {
    verdict.add("V14", Consequence::warn,
                error_at(offset, Errc::footer_invalid,
                         fmt::format("footer at {:#x}: saved state {}, expected 0 or 1", offset,
                                     footer.saved_state)));
  }
  const std::span<const std::byte> reserved(footer.reserved);
  const bool hidden = created_by(footer, "tap") && reserved[0] <= std::byte{1};
  if (!is_zero(hidden ? reserved.subspan(1) : reserved)) {
    verdict.add("V15", Consequence::ignore,
                error_at(offset, Errc::footer_invalid,
                         fmt::format("footer at {:#x}: reserved bytes are not zero", offset)));
  }
}

void validate_geometry(const Footer& footer, u64 offset, Verdict& verdict) {
  const Chs stored = footer.chs();
  const Chs computed = chs_for_size(footer.current_size);
  const bool equal = stored.cylinders == computed.cylinders && stored.heads == computed.heads &&
                     stored.sectors == computed.sectors;
  if (equal || is_largest_chs(stored)) return;
  verdict.add("V40", Consequence::ignore,
              error_at(offset, Errc::footer_invalid,
                       fmt::format("footer at {:#x}: geometry {}/{}/{}, expected {}/{}/{}", offset,
                                   stored.cylinders, stored.heads, stored.sectors,
                                   computed.cylinders, computed.heads, computed.sectors)));
}

}  // namespace

FooterState classify_footer(std::span<const std::byte> bytes) {
  const RawFooter raw = load_padded(bytes);
  if (equals_text(raw.cookie, poisoned_cookie)) return FooterState::poisoned;
  if (!equals_text(raw.cookie, footer_cookie)) return FooterState::missing;
  return checksum_matches(raw) ? FooterState::valid : FooterState::bad_checksum;
}

Footer decode_footer(std::span<const std::byte> bytes) {
  const RawFooter raw = load_padded(bytes);
  Footer footer;
  footer.features = raw.features.value();
  footer.file_format_version = raw.file_format_version.value();
  footer.data_offset = raw.data_offset.value();
  footer.time_stamp = raw.time_stamp.value();
  footer.creator_application = raw.creator_application;
  footer.creator_version = raw.creator_version.value();
  footer.creator_host_os = raw.creator_host_os;
  footer.original_size = raw.original_size.value();
  footer.current_size = raw.current_size.value();
  footer.cylinders = raw.cylinders.value();
  footer.heads = raw.heads;
  footer.sectors_per_track = raw.sectors_per_track;
  footer.disk_type = raw.disk_type.value();
  footer.unique_id.bytes = raw.unique_id;
  footer.saved_state = raw.saved_state;
  footer.reserved = raw.reserved;
  return footer;
}

RawFooter encode_footer(const Footer& footer) {
  RawFooter raw{};
  std::copy_n(footer_cookie.begin(), raw.cookie.size(), raw.cookie.begin());
  raw.features = footer.features;
  raw.file_format_version = footer.file_format_version;
  raw.data_offset = footer.data_offset;
  raw.time_stamp = footer.time_stamp;
  raw.creator_application = footer.creator_application;
  raw.creator_version = footer.creator_version;
  raw.creator_host_os = footer.creator_host_os;
  raw.original_size = footer.original_size;
  raw.current_size = footer.current_size;
  raw.cylinders = footer.cylinders;
  raw.heads = footer.heads;
  raw.sectors_per_track = footer.sectors_per_track;
  raw.disk_type = footer.disk_type;
  raw.unique_id = footer.unique_id.bytes;
  raw.saved_state = footer.saved_state;
  raw.reserved = footer.reserved;
  raw.checksum = vhd_checksum(bytes_of(raw), checksum_offset);
  return raw;
}

void set_current_size(Footer& footer, u64 size) {
  const Chs chs = chs_for_size(size);
  footer.current_size = size;
  footer.cylinders = static_cast<u16>(chs.cylinders);
  footer.heads = static_cast<u8>(chs.heads);
  footer.sectors_per_track = static_cast<u8>(chs.sectors);
}

std::string creator_text(const Footer& footer) {
  constexpr std::string_view replacement = "\uFFFD";
  std::string text;
  for (const char letter : footer.creator_application) {
    const bool ascii = (static_cast<unsigned char>(letter) & 0x80) == 0;
    if (letter == '\0') continue;
    ascii ? text.push_back(letter) : (void)text.append(replacement);
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  if (text.empty()) return text;
  return fmt::format("{} {}.{}", text, footer.creator_version >> 16,
                     footer.creator_version & 0xFFFF);
}

bool created_by(const Footer& footer, std::string_view application) {
  for (std::size_t index = 0; index < footer.creator_application.size(); ++index) {
    const char letter = footer.creator_application[index];
    const bool padding = letter == ' ' || letter == '\0';
    if (index < application.size() ? letter != application[index] : !padding) return false;
  }
  return true;
}

u64 virtual_size(const Footer& footer, VhdSize authority) {
  const u64 current = round_down(footer.current_size, sector_size);
  if (authority == VhdSize::current) return current;
  if (!created_by(footer, "vpc") && !created_by(footer, "qemu")) return current;
  const u64 by_chs = bytes_of_chs(footer.chs());
  return by_chs == 0 || by_chs > current || is_largest_chs(footer.chs()) ? current : by_chs;
}

void validate_footer(const Footer& footer, const FooterPlace& place, Verdict& verdict) {
  validate_version(footer, place.offset, verdict);
  validate_type(footer, place.offset, verdict);
  if (verdict.rejection() != nullptr) return;
  validate_size(footer, place.offset, verdict);
  validate_data_offset(footer, place, verdict);
  validate_features(footer, place.offset, verdict);
  validate_identity(footer, place.offset, verdict);
  validate_geometry(footer, place.offset, verdict);
}

}  // namespace vdisk::vhd
