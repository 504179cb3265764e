#include "support/vhd_builder.h"

#include <algorithm>

namespace vdisk::test {

namespace {

void put(Bytes& bytes, u64 offset, u64 value, u64 size) {
  for (u64 n = 0; n < size; ++n) {
    bytes.at(offset + n) = static_cast<std::byte>(value >> (8 * (size - 1 - n)));
  }
}

u64 get(const Bytes& bytes, u64 offset, u64 size) {
  u64 value = 0;
  for (u64 n = 0; n < size; ++n) value = value << 8 | std::to_integer<u64>(bytes.at(offset + n));
  return value;
}

void fix_sum(Bytes& bytes, u64 offset, u64 size, u64 field) {
  u32 sum = 0;
  put_u32(bytes, offset + field, 0);
  for (u64 n = 0; n < size; ++n) sum += std::to_integer<u32>(bytes.at(offset + n));
  put_u32(bytes, offset + field, ~sum);
}

void put_bytes(Bytes& bytes, u64 offset, const Bytes& data) {
  if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size());
  std::copy(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

u64 up(u64 value, u64 alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

Bytes utf16(std::string_view ascii, std::size_t place_of_letter) {
  Bytes bytes(ascii.size() * 2);
  for (std::size_t n = 0; n < ascii.size(); ++n) {
    bytes[2 * n + place_of_letter] = static_cast<std::byte>(ascii[n]);
  }
  return bytes;
}

}  // namespace

void put_u8(Bytes& bytes, u64 offset, u8 value) {
  put(bytes, offset, value, 1);
}
void put_u16(Bytes& bytes, u64 offset, u16 value) {
  put(bytes, offset, value, 2);
}
void put_u32(Bytes& bytes, u64 offset, u32 value) {
  put(bytes, offset, value, 4);
}
void put_u64(Bytes& bytes, u64 offset, u64 value) {
  put(bytes, offset, value, 8);
}
void put_text(Bytes& bytes, u64 offset, std::string_view text) {
  for (std::size_t n = 0; n < text.size(); ++n) {
    bytes.at(offset + n) = static_cast<std::byte>(text[n]);
  }
}
u32 get_u32(const Bytes& bytes, u64 offset) {
  return static_cast<u32>(get(bytes, offset, 4));
}
u64 get_u64(const Bytes& bytes, u64 offset) {
  return get(bytes, offset, 8);
}

void fix_vhd_footer(Bytes& bytes, u64 offset) {
  fix_sum(bytes, offset, 512, 64);
}
void fix_vhd_header(Bytes& bytes, u64 offset) {
  fix_sum(bytes, offset, 1024, 36);
}

std::byte pattern_at(u64 offset, u64 seed) {
  const u64 mixed = (offset + seed * 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
  return static_cast<std::byte>(mixed >> 32 | 1);  // never zero
}

Bytes pattern(u64 offset, u64 length, u64 seed) {
  Bytes bytes(length);
  for (u64 n = 0; n < length; ++n) bytes[n] = pattern_at(offset + n, seed);
  return bytes;
}

Bytes utf16le(std::string_view ascii) {
  return utf16(ascii, 0);
}
Bytes utf16be(std::string_view ascii) {
  return utf16(ascii, 1);
}

Bytes make_vhd_footer(const VhdFooterFields& fields) {
  Bytes bytes(512);
  const u64 usual_offset = fields.disk_type == 2 ? ~u64{0} : u64{512};
  put_text(bytes, 0, "conectix");
  put_u32(bytes, 8, fields.features);
  put_u32(bytes, 12, fields.file_format_version);
  put_u64(bytes, 16, fields.data_offset == 0 ? usual_offset : fields.data_offset);
  put_u32(bytes, 24, fields.time_stamp);
  put_text(bytes, 28, fields.creator_application);
  put_u32(bytes, 32, fields.creator_version);
  put_text(bytes, 36, fields.creator_host_os);
  put_u64(bytes, 40, fields.original_size == 0 ? fields.current_size : fields.original_size);
  put_u64(bytes, 48, fields.current_size);
  for (u64 n = 0; n < 4; ++n) put_u8(bytes, 56 + n, fields.geometry[n]);
  put_u32(bytes, 60, fields.disk_type);
  for (u64 n = 0; n < 16; ++n) put_u8(bytes, 68 + n, fields.unique_id[n]);
  put_u8(bytes, 84, fields.saved_state);
  fix_vhd_footer(bytes, 0);
  return bytes;
}

u64 VhdBuilder::bitmap_bytes() const {
  return up((block_size / 512 + 7) / 8, 512);
}

u64 VhdBuilder::entry_count() const {
  if (max_table_entries != 0) return max_table_entries;
  return (footer.current_size + block_size - 1) / block_size;
}

u64 VhdBuilder::data_begin() const {
  u64 at = table_offset + up(entry_count() * 4, 512);
  for (const VhdLocatorFields& locator : locators) at += up(locator.name.size(), 512);
  return at;
}

u64 VhdBuilder::place_of(u64 block) const {
  u64 at = data_begin();
  for (const auto& [index, content] : blocks) {
    if (align_data) at = up(at + bitmap_bytes(), 4096) - bitmap_bytes();
    if (index == block) break;
    at += bitmap_bytes() + block_size;
  }
  return at;
}

void VhdBuilder::put_header(Bytes& bytes) const {
  const u64 at = header_offset;
  put_text(bytes, at, "cxsparse");
  put_u64(bytes, at + 8, ~u64{0});
  put_u64(bytes, at + 16, table_offset);
  put_u32(bytes, at + 24, 0x00010000);
  put_u32(bytes, at + 28, static_cast<u32>(entry_count()));
  put_u32(bytes, at + 32, block_size);
  for (u64 n = 0; n < 16; ++n) put_u8(bytes, at + 40 + n, parent_unique_id[n]);
  put_u32(bytes, at + 56, parent_time_stamp);
  put_bytes(bytes, at + 64, parent_name);
  u64 area = table_offset + up(entry_count() * 4, 512);
  for (u64 slot = 0; slot < locators.size(); ++slot) {
    const VhdLocatorFields& locator = locators[slot];
    const u64 entry = at + 576 + slot * 24;
    put_u32(bytes, entry, locator.code);
    put_u32(bytes, entry + 4, locator.data_space);
    put_u32(bytes, entry + 8, static_cast<u32>(locator.name.size()));
    put_u64(bytes, entry + 16, area);
    put_bytes(bytes, area, locator.name);
    area += up(locator.name.size(), 512);
  }
  fix_vhd_header(bytes, at);
}

void VhdBuilder::put_blocks(Bytes& bytes) const {
  const u64 table_size = up(entry_count() * 4, 512);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(table_offset), table_size,
              std::byte{0xFF});
  for (const auto& [index, block] : blocks) {
    const u64 place = place_of(index);
    put_u32(bytes, table_offset + index * 4, static_cast<u32>(place / 512));
    put_bytes(bytes, place,
              block.bitmap.empty() ? Bytes(bitmap_bytes(), std::byte{0xFF}) : block.bitmap);
    Bytes data = block.data;
    data.resize(block_size);
    put_bytes(bytes, place + bitmap_bytes(), data);
  }
}

Bytes VhdBuilder::build() const {
  Bytes bytes(data_begin());
  const Bytes footer_bytes = make_vhd_footer(footer);
  put_bytes(bytes, 0, footer_bytes);
  put_header(bytes);
  put_blocks(bytes);
  put_bytes(bytes, up(bytes.size(), 512), footer_bytes);
  return bytes;
}

Bytes make_fixed_vhd(const Bytes& content) {
  VhdFooterFields fields;
  fields.disk_type = 2;
  fields.current_size = content.size();
  Bytes bytes = content;
  put_bytes(bytes, bytes.size(), make_vhd_footer(fields));
  return bytes;
}

std::shared_ptr<MemoryFile> memory_file(const Bytes& bytes) {
  return MemoryFile::with_content(bytes);
}

}  // namespace vdisk::test
