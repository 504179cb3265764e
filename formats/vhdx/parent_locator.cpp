#include "formats/vhdx/parent_locator.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "base/utf16.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

namespace {

/// In the order in which they are to be tried (FORMATS D11).
constexpr std::array path_keys{relative_path_key, volume_path_key, absolute_win32_path_key};

bool is_path_key(std::string_view key) {
  return std::ranges::find(path_keys, key) != path_keys.end();
}

std::unexpected<Error> broken_locator(u64 file_offset, const std::string& found_and_expected) {
  return broken(47, Errc::corrupt, file_offset,
                fmt::format("parent locator at {:#x}: {}", file_offset, found_and_expected));
}

struct Text {
  u32 offset;
  u16 length;
};

/// The bytes of a string, which must lie behind the header and inside the item.
Result<std::span<const std::byte>> text_bytes(std::span<const std::byte> item, Text text,
                                              u64 file_offset) {
  if (text.length % 2 != 0 ||
      !lies_within(text.offset, text.length, sizeof(RawParentLocatorHeader), item.size())) {
    return broken_locator(file_offset,
                          fmt::format("a string of {} bytes at {:#x} of the item, expected an even "
                                      "length inside its {} bytes",
                                      text.length, text.offset, item.size()));
  }
  return item.subspan(text.offset, text.length);
}

Result<LocatorEntry> decode_entry(std::span<const std::byte> item, const RawParentLocatorEntry& raw,
                                  u64 file_offset) {
  VDISK_ASSIGN(const auto key,
               text_bytes(item, {raw.key_offset.value(), raw.key_length.value()}, file_offset));
  VDISK_ASSIGN(const auto value,
               text_bytes(item, {raw.value_offset.value(), raw.value_length.value()}, file_offset));
  const auto key_text = decode_utf16(key, ByteOrder::little);
  if (!key_text || key_text->empty()) {
    return broken_locator(file_offset, "a key that is empty or not UTF-16, expected text");
  }
  auto value_text = decode_utf16(value, ByteOrder::little);
  const bool well_formed = value_text && !value_text->empty();
  if (!well_formed && !is_path_key(*key_text)) {
    return broken_locator(
        file_offset,
        fmt::format("the value of {} is empty or not UTF-16, expected text", *key_text));
  }
  return LocatorEntry{
      .key = *key_text,
      .value = value_text ? *value_text : decode_utf16_lossy(value, ByteOrder::little),
      .well_formed = well_formed};
}

Status validate_unique(const ParentLocator& locator, u64 file_offset) {
  std::vector<std::string_view> keys;
  keys.reserve(locator.entries.size());
  for (const LocatorEntry& entry : locator.entries) keys.push_back(entry.key);
  std::ranges::sort(keys);
  const auto twice = std::ranges::adjacent_find(keys);
  if (twice == keys.end()) return {};
  return broken_locator(file_offset, fmt::format("key {} twice, expected once", *twice));
}

Status validate_linkage(const ParentLocator& locator, u64 file_offset) {
  for (const auto key : {parent_linkage_key, parent_linkage2_key}) {
    const LocatorEntry* entry = locator.find(key);
    if (entry == nullptr && key == parent_linkage2_key) continue;
    if (entry != nullptr && parse_guid(entry->value)) continue;
    return broken(48, Errc::corrupt, file_offset,
                  fmt::format("parent locator at {:#x}: {} {}, expected a GUID", file_offset, key,
                              entry == nullptr ? "missing" : "not a GUID"));
  }
  return {};
}

}  // namespace

const LocatorEntry* ParentLocator::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, &LocatorEntry::key);
  return found == entries.end() ? nullptr : &*found;
}

void ParentLocator::set(std::string_view key, std::string value) {
  const auto found = std::ranges::find(entries, key, &LocatorEntry::key);
  if (found == entries.end()) {
    entries.push_back({std::string(key), std::move(value)});
  } else {
    *found = {std::string(key), std::move(value)};
  }
}

void ParentLocator::erase(std::string_view key) {
  std::erase_if(entries, [key](const LocatorEntry& entry) { return entry.key == key; });
}

Result<ParentLocator> decode_parent_locator(std::span<const std::byte> item, u64 file_offset) {
  if (item.size() < sizeof(RawParentLocatorHeader)) {
    return broken_locator(file_offset, fmt::format("{} bytes, expected at least 20", item.size()));
  }
  const auto raw = load<RawParentLocatorHeader>(item);
  if (decode(raw.locator_type) != vhdx_locator_type) {
    return broken(46, Errc::corrupt, file_offset,
                  fmt::format("parent locator at {:#x}: type {}, expected {}", file_offset,
                              to_string(decode(raw.locator_type)), to_string(vhdx_locator_type)));
  }
  const u32 count = raw.key_value_count.value();
  const u64 table_end = sizeof raw + u64{count} * sizeof(RawParentLocatorEntry);
  if (count > max_locator_entries || table_end > item.size()) {
    return broken_locator(
        file_offset,
        fmt::format("{} pairs in {} bytes, expected at most 256 that fit", count, item.size()));
  }
  ParentLocator locator;
  for (u64 place = sizeof raw; place < table_end; place += sizeof(RawParentLocatorEntry)) {
    const auto entry = load<RawParentLocatorEntry>(item.subspan(place));
    VDISK_ASSIGN(LocatorEntry decoded, decode_entry(item, entry, file_offset));
    locator.entries.push_back(std::move(decoded));
  }
  VDISK_TRY(validate_unique(locator, file_offset));
  VDISK_TRY(validate_linkage(locator, file_offset));
  return locator;
}

Result<std::vector<std::byte>> encode(const ParentLocator& locator) {
  RawParentLocatorHeader raw{};
  raw.locator_type = encode(vhdx_locator_type);
  raw.key_value_count = static_cast<u16>(locator.entries.size());
  std::vector<std::byte> item(sizeof raw + locator.entries.size() * sizeof(RawParentLocatorEntry));
  store(item, raw);
  std::size_t place = sizeof raw;
  for (const LocatorEntry& entry : locator.entries) {
    const auto key = encode_utf16(entry.key, ByteOrder::little);
    const auto value = encode_utf16(entry.value, ByteOrder::little);
    constexpr std::size_t longest = std::numeric_limits<u16>::max();
    if (!key || !value || key->size() > longest || value->size() > longest) {
      return fail(Errc::invalid_argument,
                  fmt::format("parent locator: {} is not UTF-8 or too long, expected at most 65535 "
                              "bytes of UTF-16",
                              entry.key));
    }
    RawParentLocatorEntry pair{};
    pair.key_offset = static_cast<u32>(item.size());
    pair.key_length = static_cast<u16>(key->size());
    item.insert(item.end(), key->begin(), key->end());
    pair.value_offset = static_cast<u32>(item.size());
    pair.value_length = static_cast<u16>(value->size());
    item.insert(item.end(), value->begin(), value->end());
    store(std::span(item).subspan(place), pair);
    place += sizeof pair;
  }
  return item;
}

std::string format_linkage(const Guid& guid) {
  return fmt::format("{{{}}}", to_string(guid));
}

ParentLocator make_parent_locator(const ParentSpec& parent) {
  ParentLocator locator;
  locator.set(parent_linkage_key, format_linkage(parent.content_id));
  if (!parent.relative_path.empty()) locator.set(relative_path_key, parent.relative_path);
  if (!parent.absolute_win32_path.empty()) {
    locator.set(absolute_win32_path_key, parent.absolute_win32_path);
  }
  return locator;
}

ParentLink to_parent_link(const ParentLocator& locator) {
  ParentLink link;
  for (const auto key : {parent_linkage_key, parent_linkage2_key}) {
    const LocatorEntry* entry = locator.find(key);
    const auto guid = entry == nullptr ? std::nullopt : parse_guid(entry->value);
    if (guid) link.accepted_ids.push_back(*guid);
  }
  for (const auto key : path_keys) {
    const LocatorEntry* entry = locator.find(key);
    if (entry == nullptr) continue;
    link.paths.push_back({std::string(key), entry->value, entry->well_formed});
  }
  return link;
}

}  // namespace vdisk::vhdx
