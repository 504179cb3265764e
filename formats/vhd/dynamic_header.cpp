/// Decoding, encoding and the rules of the dynamic header.
#include "formats/vhd/dynamic_header.h"

#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::vhd {

namespace {

constexpr std::size_t checksum_offset = offsetof(RawDynamicHeader, checksum);
constexpr u64 entry_size = sizeof(u32);

ParentLocator decode(const RawParentLocator& raw) {
  return {raw.platform_code.value(), raw.data_space.value(), raw.data_length.value(),
          raw.reserved.value(), raw.data_offset.value()};
}

RawParentLocator encode(const ParentLocator& locator) {
  RawParentLocator raw{};
  raw.platform_code = locator.platform_code;
  raw.data_space = locator.data_space;
  raw.data_length = locator.data_length;
  raw.reserved = locator.reserved;
  raw.data_offset = locator.data_offset;
  return raw;
}

void refuse(Verdict& verdict, std::string_view rule, u64 offset, Errc code,
            const std::string& what) {
  verdict.add(rule, Consequence::reject,
              error_at(offset, code, fmt::format("dynamic header at {:#x}: {}", offset, what)));
}

void validate_table_place(const DynamicHeader& header, const HeaderPlace& place, Verdict& verdict) {
  const u64 length = table_bytes(header.max_table_entries);
  const u64 offset = header.table_offset;
  if (!is_aligned(offset, sector_size) ||
      !lies_within(offset, length, footer_size, place.data_limit)) {
    refuse(verdict, "V22", place.offset, Errc::header_invalid,
           fmt::format("BAT of {} bytes at {:#x}, expected a multiple of 512 between 0x200 and "
                       "{:#x}",
                       length, offset, place.data_limit));
  } else if (overlaps(offset, length, place.offset, dynamic_header_size)) {
    refuse(verdict, "V22", place.offset, Errc::header_invalid,
           fmt::format("BAT of {} bytes at {:#x} overlaps the header", length, offset));
  }
}

void validate_table_count(const DynamicHeader& header, const HeaderPlace& place, Verdict& verdict) {
  const u64 needed = divide_up(place.current_size, header.block_size);
  const u64 count = header.max_table_entries;
  if (count > max_useful_table_entries) {
    refuse(verdict, "V25", place.offset, Errc::limit,
           fmt::format("{} BAT entries, expected at most {}", count, max_useful_table_entries));
  } else if (count < needed) {
    refuse(verdict, "V23", place.offset, Errc::header_invalid,
           fmt::format("{} BAT entries, expected at least {}", count, needed));
  }
  validate_table_place(header, place, verdict);
  if (verdict.rejection() != nullptr) return;
  if (needed > max_block_count) {
    refuse(verdict, "V25", place.offset, Errc::limit,
           fmt::format("{} blocks of {} bytes, expected at most {} blocks", needed,
                       header.block_size, max_block_count));
  } else if (count != needed) {
    verdict.add("V24", Consequence::ignore,
                error_at(place.offset, Errc::header_invalid,
                         fmt::format("dynamic header at {:#x}: {} BAT entries, expected {}",
                                     place.offset, count, needed)));
  }
}

}  // namespace

Result<DynamicHeader> decode_dynamic_header(std::span<const std::byte> bytes, u64 offset) {
  const auto raw = load<RawDynamicHeader>(bytes);
  if (!equals_text(raw.cookie, header_cookie)) {
    return fail_at(offset, Errc::header_invalid,
                   fmt::format("dynamic header at {:#x}: no cookie, expected `cxsparse`", offset));
  }
  const u32 computed = vhd_checksum(bytes_of(raw), checksum_offset);
  if (raw.checksum.value() != computed) {
    return fail_at(offset, Errc::header_checksum,
                   fmt::format("dynamic header at {:#x}: checksum {:#010x}, expected {:#010x}",
                               offset, raw.checksum.value(), computed));
  }
  if (raw.header_version.value() != version_1_0) {
    return fail_at(offset, Errc::header_unsupported_version,
                   fmt::format("dynamic header at {:#x}: version {:#010x}, expected {:#010x}",
                               offset, raw.header_version.value(), version_1_0));
  }
  return decode_header_fields(bytes);
}

DynamicHeader decode_header_fields(std::span<const std::byte> bytes) {
  const auto raw = load<RawDynamicHeader>(bytes);
  DynamicHeader header;
  header.data_offset = raw.data_offset.value();
  header.table_offset = raw.table_offset.value();
  header.max_table_entries = raw.max_table_entries.value();
  header.block_size = raw.block_size.value();
  header.parent_unique_id.bytes = raw.parent_unique_id;
  header.parent_time_stamp = raw.parent_time_stamp.value();
  header.reserved_1 = raw.reserved_1.value();
  header.parent_unicode_name = raw.parent_unicode_name;
  for (std::size_t slot = 0; slot < locator_count; ++slot) {
    header.locators[slot] = decode(raw.parent_locators[slot]);
  }
  header.reserved_2 = raw.reserved_2;
  return header;
}

RawDynamicHeader encode_dynamic_header(const DynamicHeader& header) {
  RawDynamicHeader raw{};
  std::copy_n(header_cookie.begin(), raw.cookie.size(), raw.cookie.begin());
  raw.data_offset = header.data_offset;
  raw.table_offset = header.table_offset;
  raw.header_version = header.header_version;
  raw.max_table_entries = header.max_table_entries;
  raw.block_size = header.block_size;
  raw.parent_unique_id = header.parent_unique_id.bytes;
  raw.parent_time_stamp = header.parent_time_stamp;
  raw.reserved_1 = header.reserved_1;
  raw.parent_unicode_name = header.parent_unicode_name;
  for (std::size_t slot = 0; slot < locator_count; ++slot) {
    raw.parent_locators[slot] = encode(header.locators[slot]);
  }
  raw.reserved_2 = header.reserved_2;
  raw.checksum = vhd_checksum(bytes_of(raw), checksum_offset);
  return raw;
}

void validate_dynamic_header(const DynamicHeader& header, const HeaderPlace& place,
                             Verdict& verdict) {
  if (!std::has_single_bit(header.block_size) || header.block_size < min_block_size ||
      header.block_size > max_block_size) {
    refuse(verdict, "V21", place.offset, Errc::block_size_invalid,
           fmt::format("block size {} bytes, expected a power of two from 512 to 256 MiB",
                       header.block_size));
    return;
  }
  validate_table_count(header, place, verdict);
  if (header.data_offset != no_offset && header.data_offset != no_offset_32) {
    verdict.add("V20", Consequence::warn,
                error_at(place.offset, Errc::header_invalid,
                         fmt::format("dynamic header at {:#x}: data offset {:#x}, expected all "
                                     "ones",
                                     place.offset, header.data_offset)));
  }
}

u64 table_bytes(u64 entry_count) noexcept {
  return round_up(entry_count * entry_size, sector_size);
}

u64 bitmap_bytes(u32 block_size) noexcept {
  constexpr u64 bits_per_byte = 8;
  return round_up(divide_up(block_size / sector_size, bits_per_byte), sector_size);
}

}  // namespace vdisk::vhd
