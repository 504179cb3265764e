/// Reading and writing of parent locators. Names in locators are little-endian, the name in the
/// header is big-endian.
#include "formats/vhd/parent_locators.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "base/utf16.h"
#include "formats/vhd/timestamp.h"

namespace vdisk::vhd {

namespace {

constexpr u64 utf16_unit = 2;

struct LocatorKind {
  u32 code;
  std::string_view name;
  enum class Encoding { utf16, ascii, url } encoding;
};
/// In the order in which paths are to be tried.
constexpr std::array kinds = {
    LocatorKind{code_windows_relative, "W2ru", LocatorKind::Encoding::utf16},
    LocatorKind{code_windows_absolute, "W2ku", LocatorKind::Encoding::utf16},
    LocatorKind{code_mac_url, "MacX", LocatorKind::Encoding::url},
    LocatorKind{code_old_windows_relative, "Wi2r", LocatorKind::Encoding::ascii},
    LocatorKind{code_old_windows_absolute, "Wi2k", LocatorKind::Encoding::ascii},
};

bool known_code(u32 code) {
  return code == code_mac_alias ||
         std::ranges::any_of(kinds, [&](const LocatorKind& kind) { return kind.code == code; });
}

bool is_utf16(u32 code) {
  return code == code_windows_relative || code == code_windows_absolute;
}

std::span<const std::byte> without_trailing_nuls(std::span<const std::byte> data, u64 unit) {
  while (data.size() >= unit && is_zero(data.last(unit))) data = data.first(data.size() - unit);
  return data;
}

ParentPath utf16_path(std::string kind, std::span<const std::byte> data, ByteOrder order) {
  data = without_trailing_nuls(data, utf16_unit);
  if (auto text = decode_utf16(data, order)) return {std::move(kind), *std::move(text), true};
  return {std::move(kind), decode_utf16_lossy(data, order), false};
}

std::string as_text(std::span<const std::byte> data) {
  std::string text;
  for (const std::byte letter : data) text.push_back(static_cast<char>(letter));
  return text;
}

/// A path in a code page that we do not know is good when it is also UTF-8.
ParentPath narrow_path(std::string kind, std::span<const std::byte> data) {
  std::string text = as_text(without_trailing_nuls(data, 1));
  if (is_utf8(text) && text.find('\0') == std::string::npos) {
    return {std::move(kind), std::move(text), true};
  }
  for (char& letter : text) {
    if ((static_cast<unsigned char>(letter) & 0x80) != 0 || letter == '\0') letter = '?';
  }
  return {std::move(kind), std::move(text), false};
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

std::string without_escapes(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int high = text[at] == '%' && at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[at + 2]) : -1;
    plain.push_back(low >= 0 ? static_cast<char>(high * 16 + low) : text[at]);
    if (low >= 0) at += 2;
  }
  return plain;
}

/// The path of a `file://` URL; any other URL stays as it is and is marked.
ParentPath url_path(std::string kind, std::span<const std::byte> data) {
  ParentPath path = narrow_path(std::move(kind), data);
  constexpr std::string_view scheme = "file://";
  constexpr std::string_view local = "localhost/";
  if (!path.path.starts_with(scheme)) {
    path.well_formed = false;
    return path;
  }
  std::string_view rest = std::string_view(path.path).substr(scheme.size());
  if (rest.starts_with(local)) rest.remove_prefix(local.size() - 1);
  const std::string plain = without_escapes(rest);
  const bool sound = is_utf8(plain) && plain.find('\0') == std::string::npos;
  path.well_formed = path.well_formed && sound;
  if (sound) path.path = plain;
  return path;
}

ParentPath decode_path(const LocatorKind& kind, std::span<const std::byte> data) {
  std::string name(kind.name);
  switch (kind.encoding) {
    case LocatorKind::Encoding::utf16: return utf16_path(std::move(name), data, ByteOrder::little);
    case LocatorKind::Encoding::url: return url_path(std::move(name), data);
    case LocatorKind::Encoding::ascii: break;
  }
  return narrow_path(std::move(name), data);
}

/// Why a locator cannot be used; empty when it can.
std::string fault_of(const ParentLocator& locator, const DynamicHeader& header,
                     const LocatorPlace& place) {
  const u64 offset = locator.data_offset;
  const u64 length = locator.data_length;
  if (!known_code(locator.platform_code)) return "unknown platform code";
  if (length == 0) return "an empty name";
  if (is_utf16(locator.platform_code) && !is_aligned(length, utf16_unit)) {
    return "a name of UTF-16 with an odd length";
  }
  if (length > max_locator_length) return "a name longer than 64 KiB";
  if (!lies_within(offset, length, footer_size, place.file_size)) return "a name behind the end";
  const u64 table = table_bytes(header.max_table_entries);
  if (overlaps(offset, length, place.header_offset, dynamic_header_size) ||
      overlaps(offset, length, header.table_offset, table)) {
    return "a name that overlaps the header or the BAT";
  }
  return {};
}

void validate_locator(const ParentLocator& locator, const DynamicHeader& header,
                      const LocatorPlace& place, Verdict& verdict) {
  const std::string fault = locator.used() ? fault_of(locator, header, place) : std::string();
  if (!fault.empty()) {
    verdict.add("V32", Consequence::warn,
                error_at(place.header_offset, Errc::header_invalid,
                         fmt::format("parent locator {:#010x} at {:#x}: {}, {} bytes at {:#x}",
                                     locator.platform_code, place.header_offset, fault,
                                     locator.data_length, locator.data_offset)));
  }
  const bool clean = locator.reserved == 0 && (locator.used() || locator == ParentLocator{});
  if (clean) return;
  verdict.add("V33", Consequence::ignore,
              error_at(place.header_offset, Errc::header_invalid,
                       fmt::format("dynamic header at {:#x}: reserved bytes of a parent locator "
                                   "are not zero",
                                   place.header_offset)));
}

Status read_paths(const File& file, const DynamicHeader& header, const LocatorPlace& place,
                  std::vector<ParentPath>& paths) {
  for (const LocatorKind& kind : kinds) {
    for (const ParentLocator& locator : header.locators) {
      if (locator.platform_code != kind.code) continue;
      if (!fault_of(locator, header, place).empty()) continue;
      std::vector<std::byte> data(locator.data_length);
      VDISK_TRY(file.read_at(locator.data_offset, data));
      paths.push_back(decode_path(kind, data));
    }
  }
  return {};
}

/// The name ends at the first NUL; what follows is padding, whatever it holds. Without an end it
/// can still be a full path; a bare name of that length exists on no file system.
void add_parent_name(const DynamicHeader& header, const LocatorPlace& place,
                     std::vector<ParentPath>& paths, Verdict& verdict) {
  const std::span<const std::byte> field(header.parent_unicode_name);
  std::size_t size = 0;
  while (size < field.size() && !is_zero(field.subspan(size, utf16_unit))) size += utf16_unit;
  if (size == 0) return;
  ParentPath path = utf16_path("parent_name", field.first(size), ByteOrder::big);
  if (size < field.size() || last_component(path.path) != path.path) {
    paths.push_back(std::move(path));
    return;
  }
  verdict.add("V32", Consequence::warn,
              error_at(place.header_offset, Errc::header_invalid,
                       fmt::format("parent name at {:#x}: has no end, it is ignored",
                                   place.header_offset)));
}

const ParentPath* find_path(const std::vector<ParentPath>& paths, std::string_view a,
                            std::string_view b) {
  const auto found = std::ranges::find_if(
      paths, [&](const ParentPath& path) { return path.kind == a || path.kind == b; });
  return found == paths.end() ? nullptr : &*found;
}

Result<EncodedLocator> encode_locator(u32 code, const std::string& path) {
  auto name = encode_utf16(path, ByteOrder::little);
  if (!name) return fail(Errc::invalid_argument, "parent path: not UTF-8");
  if (name->empty() || name->size() > max_locator_length) {
    return fail(Errc::invalid_argument,
                fmt::format("parent path: {} bytes of UTF-16, expected 2 to {}", name->size(),
                            max_locator_length));
  }
  return EncodedLocator{code, *std::move(name)};
}

}  // namespace

Result<ParentLink> read_parent_link(const File& file, const DynamicHeader& header,
                                    const LocatorPlace& place, Verdict& verdict) {
  ParentLink link;
  link.larger_parent_allowed = false;  // V35
  link.file_offset = place.header_offset;
  link.accepted_ids.push_back(header.parent_unique_id);
  if (header.parent_time_stamp != 0) {
    link.parent_modified_time = to_unix_time(header.parent_time_stamp);
  }
  for (const ParentLocator& locator : header.locators) {
    validate_locator(locator, header, place, verdict);
  }
  VDISK_TRY(read_paths(file, header, place, link.paths));
  add_parent_name(header, place, link.paths, verdict);
  if (link.paths.empty()) {
    verdict.add("V31", Consequence::warn,
                error_at(place.header_offset, Errc::header_invalid,
                         fmt::format("dynamic header at {:#x}: no usable parent locator and no "
                                     "parent name",
                                     place.header_offset)));
  }
  return link;
}

Result<std::vector<EncodedLocator>> encode_locators(const std::vector<ParentPath>& paths) {
  const ParentPath* relative = find_path(paths, "W2ru", "relative_path");
  const ParentPath* absolute = find_path(paths, "W2ku", "absolute_win32_path");
  if (relative == nullptr) relative = absolute;
  if (absolute == nullptr) absolute = relative;
  if (relative == nullptr) {
    return fail(Errc::invalid_argument, "parent path: none, expected a relative or absolute one");
  }
  std::vector<EncodedLocator> locators;
  VDISK_ASSIGN(locators.emplace_back(), encode_locator(code_windows_relative, relative->path));
  VDISK_ASSIGN(locators.emplace_back(), encode_locator(code_windows_absolute, absolute->path));
  return locators;
}

u64 locator_bytes(const std::vector<EncodedLocator>& locators) {
  u64 total = 0;
  for (const EncodedLocator& locator : locators)
    total += round_up(locator.name.size(), sector_size);
  return total;
}

std::vector<std::byte> place_locators(DynamicHeader& header,
                                      const std::vector<EncodedLocator>& locators, u64 offset) {
  std::vector<std::byte> content(locator_bytes(locators));
  header.locators = {};
  u64 at = 0;
  for (std::size_t slot = 0; slot < locators.size() && slot < locator_count; ++slot) {
    const std::vector<std::byte>& name = locators[slot].name;
    const u64 space = round_up(name.size(), sector_size);
    std::ranges::copy(name, content.begin() + static_cast<std::ptrdiff_t>(at));
    header.locators[slot] = {locators[slot].platform_code, static_cast<u32>(space),
                             static_cast<u32>(name.size()), 0, offset + at};
    at += space;
  }
  return content;
}

Status set_parent_name(DynamicHeader& header, std::string_view utf8) {
  auto name = encode_utf16(utf8, ByteOrder::big);
  if (!name) return fail(Errc::invalid_argument, "parent name: not UTF-8");
  constexpr std::size_t room = parent_name_size - utf16_unit;
  constexpr std::byte first_high_surrogate{0xD8};
  if (name->size() > room) {
    name->resize(room);
    const std::byte last = (*name)[room - utf16_unit];
    if ((last & std::byte{0xFC}) == first_high_surrogate) name->resize(room - utf16_unit);
  }
  header.parent_unicode_name = {};
  std::ranges::copy(*name, header.parent_unicode_name.begin());
  return {};
}

std::string_view last_component(std::string_view path) {
  const std::size_t separator = path.find_last_of("\\/");
  return separator == std::string_view::npos ? path : path.substr(separator + 1);
}

}  // namespace vdisk::vhd
