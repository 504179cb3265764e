// Fuzz target: what images say about themselves and their parents: VHDX metadata regions, VHDX
// parent locators, VHD dynamic headers with their locators, and the texts in all of them. What was
// decoded must encode to something that decodes to the same.
#include <algorithm>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/utf16.h"
#include "formats/vhd/dynamic_header.h"
#include "formats/vhd/parent_locators.h"
#include "formats/vhdx/metadata.h"
#include "formats/vhdx/parent_locator.h"
#include "fuzz/byte_reader.h"
#include "fuzz/promise.h"
#include "io/memory_file.h"

namespace vdisk::fuzz {
namespace {

constexpr u64 region_offset = mib;
constexpr u64 items_offset = 64 * kib;
constexpr std::size_t table_bytes = 32 + 12 * 32;

void require_text(const ParentLink& link) {
  for (const ParentPath& path : link.paths) {
    require(is_utf8(path.path), "a path that is not UTF-8: " + path.kind);
    require(!path.well_formed || path.path.find('\0') == std::string::npos,
            "a NUL in a well-formed path: " + path.kind);
  }
}

bool can_be_encoded(const vhdx::ParentLocator& locator) {
  return std::ranges::all_of(locator.entries, &vhdx::LocatorEntry::well_formed);
}

void decode_locator(std::span<const std::byte> item) {
  const auto locator = vhdx::decode_parent_locator(item, 0);
  if (!locator) return require(locator.error().offset.has_value(), "a locator error without place");
  const ParentLink link = to_parent_link(*locator);
  require(!link.accepted_ids.empty(), "a locator without linkage");
  require_text(link);
  if (!can_be_encoded(*locator)) return;
  const auto encoded = vhdx::encode(*locator);
  require_success(encoded, "a decoded locator does not encode");
  const auto again = vhdx::decode_parent_locator(*encoded, 0);
  require_success(again, "an encoded locator does not decode");
  require(again->entries == locator->entries, "a locator changes when it is written");
}

/// Region: the input's first bytes are the table, the rest lies behind 64 KiB.
void read_region(std::span<const std::byte> input) {
  ByteReader reader(input);
  MemoryFile file;
  const auto length = static_cast<u32>((u64{1} + reader.byte() % 3) * mib);
  (void)file.resize(region_offset + length);
  (void)file.write_at(region_offset, reader.bytes(table_bytes));
  (void)file.write_at(region_offset + items_offset, reader.rest());
  const auto metadata =
      vhdx::read_metadata(file, {.id = {}, .offset = region_offset, .length = length});
  if (!metadata) {
    return require(metadata.error().offset.has_value(), "a metadata error without place");
  }
  require(metadata->has_parent == metadata->locator.has_value(), "a parent without locator");
  for (const vhdx::MetadataItem& item : metadata->items) {
    require(item.length == 0 || lies_within(item.offset, item.length, items_offset, length),
            "an item outside its region");
  }
  if (metadata->locator && !can_be_encoded(*metadata->locator)) return;
  const auto encoded = vhdx::encode_metadata(*metadata);
  require_success(encoded, "decoded metadata do not encode");
  (void)file.zero_at(region_offset, length);
  (void)file.write_at(region_offset, *encoded);
  const auto again =
      vhdx::read_metadata(file, {.id = {},
                                 .offset = region_offset,
                                 .length = static_cast<u32>(round_up(encoded->size(), mib))});
  require_success(again, "encoded metadata do not decode");
  require(again->virtual_disk_size == metadata->virtual_disk_size &&
              again->block_size == metadata->block_size &&
              again->has_parent == metadata->has_parent,
          "metadata change when they are written");
}

/// Header at 512, names of parents behind 4 KiB.
void read_vhd_header(std::span<const std::byte> input) {
  constexpr u64 names = 4 * kib;
  const vhd::LocatorPlace place{512, 64 * kib};
  ByteReader reader(input);
  std::array<std::byte, vhd::dynamic_header_size> bytes{};
  std::ranges::copy(reader.bytes(bytes.size()), bytes.begin());
  auto raw = load<vhd::RawDynamicHeader>(bytes);
  // Cookie, version and checksum are right: everything behind them is what is looked at.
  std::ranges::copy(vhd::header_cookie, raw.cookie.begin());
  raw.header_version = vhd::version_1_0;
  raw.checksum = vhd_checksum(bytes_of(raw), offsetof(vhd::RawDynamicHeader, checksum));
  const auto header = vhd::decode_dynamic_header(bytes_of(raw), place.header_offset);
  require_success(header, "a header with a right checksum");
  require(std::ranges::equal(bytes_of(vhd::encode_dynamic_header(*header)), bytes_of(raw)),
          "a header changes when it is written");
  MemoryFile file;
  (void)file.resize(place.file_size);
  const auto rest = reader.rest();
  (void)file.write_at(names, rest.first(std::min<u64>(rest.size(), place.file_size - names)));
  vhd::Verdict verdict;
  const auto link = vhd::read_parent_link(file, *header, place, verdict);
  require_success(link, "locators of a readable file");
  require_text(*link);
  const auto encoded = vhd::encode_locators(link->paths);
  if (!encoded) return;
  vhd::DynamicHeader changed = *header;
  const auto areas = place_locators(changed, *encoded, names);
  (void)file.write_at(names, areas);
}

void read_texts(std::span<const std::byte> input) {
  for (const auto order : {ByteOrder::little, ByteOrder::big}) {
    require(is_utf8(decode_utf16_lossy(input, order)), "shown text is not UTF-8");
    const auto text = decode_utf16(input, order);
    if (!text) continue;
    const auto back = encode_utf16(*text, order);
    require(back && std::ranges::equal(*back, input), "UTF-16 changes on its way");
  }
}

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vdisk::fuzz;
  if (size == 0) return 0;
  const auto input = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 4) {
    case 0: read_region(input); break;
    case 1: decode_locator(input); break;
    case 2: read_vhd_header(input); break;
    default: read_texts(input);
  }
  return 0;
}
