#include "support/vhdx_builder.h"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace vdisk::test {

namespace {

void require(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

void append(Bytes& out, const Bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}

void place(Bytes& out, u64 offset, const Bytes& bytes) {
  std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(offset));
}

Bytes ascii(std::string_view text) {
  Bytes bytes;
  for (const char letter : text) bytes.push_back(std::byte(letter));
  return bytes;
}

Bytes read(const File& file, u64 offset, std::size_t size) {
  Bytes bytes(size);
  require(file.read_at(offset, bytes));
  return bytes;
}

/// Checksum at byte 4, computed with itself as zero.
void seal(Bytes& bytes) {
  place(bytes, 4, little(0, 4));
  place(bytes, 4, little(plain_crc32c(bytes), 4));
}

void seal_at(File& file, u64 offset, std::size_t size) {
  Bytes bytes = read(file, offset, size);
  seal(bytes);
  poke(file, offset, bytes);
}

u64 mib_up(u64 value) {
  return (value + mib - 1) / mib * mib;
}

}  // namespace

Bytes little(u64 value, std::size_t size) {
  Bytes bytes;
  for (std::size_t index = 0; index < size; ++index) {
    bytes.push_back(std::byte(value >> (8 * index) & 0xFF));
  }
  return bytes;
}

Bytes guid_bytes(std::string_view text) {
  const auto hex = [&text](std::size_t from, std::size_t digits) {
    return std::stoull(std::string(text.substr(from, digits)), nullptr, 16);
  };
  Bytes bytes = little(hex(0, 8), 4);
  append(bytes, little(hex(9, 4), 2));
  append(bytes, little(hex(14, 4), 2));
  for (const std::size_t from : {19u, 21u, 24u, 26u, 28u, 30u, 32u, 34u}) {
    append(bytes, little(hex(from, 2), 1));
  }
  return bytes;
}

Bytes wide(std::string_view ascii_text) {
  Bytes bytes;
  for (const char letter : ascii_text) {
    bytes.push_back(std::byte(letter));
    bytes.push_back(std::byte{0});
  }
  return bytes;
}

Bytes filled(std::size_t size, u8 value) {
  return Bytes(size, std::byte{value});
}

u32 plain_crc32c(std::span<const std::byte> data) {
  static constexpr auto table = [] {
    constexpr u32 reflected_polynomial = 0x82F63B78;
    std::array<u32, 256> remainders{};
    for (u32 byte = 0; byte < remainders.size(); ++byte) {
      u32 crc = byte;
      for (int bit = 0; bit < 8; ++bit) {
        crc = (crc & 1) != 0 ? crc >> 1 ^ reflected_polynomial : crc >> 1;
      }
      remainders[byte] = crc;
    }
    return remainders;
  }();
  u32 crc = 0xFFFFFFFF;
  for (const std::byte byte : data) {
    crc = crc >> 8 ^ table[(crc ^ std::to_integer<u32>(byte)) & 0xFF];
  }
  return ~crc;
}

void poke(File& file, u64 offset, u64 value, std::size_t size) {
  poke(file, offset, little(value, size));
}

void poke(File& file, u64 offset, const Bytes& bytes) {
  require(file.write_at(offset, bytes));
}

u64 peek(const File& file, u64 offset, std::size_t size) {
  u64 value = 0;
  const Bytes bytes = read(file, offset, size);
  for (std::size_t index = size; index > 0; --index) {
    value = value << 8 | std::to_integer<u64>(bytes[index - 1]);
  }
  return value;
}

void seal_header(File& file, int slot) {
  seal_at(file, header_place[slot], 4096);
}

void seal_region_table(File& file, int copy) {
  seal_at(file, region_table_place[copy], 64 * kib);
}

Bytes log_entry_bytes(const VhdxLogEntry& entry) {
  return log_entry_bytes(entry, {});
}

Bytes log_entry_bytes(const VhdxLogEntry& entry,
                      const std::vector<std::pair<u64, Bytes>>& changes) {
  const std::size_t descriptor_bytes = 64 + 32 * entry.writes.size();
  Bytes bytes((descriptor_bytes + 4095) / 4096 * 4096);
  place(bytes, 0, ascii("loge"));
  place(bytes, 12, little(entry.tail, 4));
  place(bytes, 16, little(entry.sequence_number, 8));
  place(bytes, 24, little(entry.writes.size(), 4));
  place(bytes, 32, guid_bytes(entry.guid));
  place(bytes, 48, little(entry.flushed_file_offset, 8));
  place(bytes, 56, little(entry.last_file_offset, 8));
  u64 descriptor = 64;
  for (const VhdxLogWrite& write : entry.writes) {
    place(bytes, descriptor + 16, little(write.file_offset, 8));
    place(bytes, descriptor + 24, little(entry.sequence_number, 8));
    if (write.page.empty()) {
      place(bytes, descriptor, ascii("zero"));
      place(bytes, descriptor + 8, little(write.zero_length, 8));
    } else {
      place(bytes, descriptor, ascii("desc"));
      std::copy_n(write.page.end() - 4, 4,
                  bytes.begin() + static_cast<std::ptrdiff_t>(descriptor + 4));
      std::copy_n(write.page.begin(), 8,
                  bytes.begin() + static_cast<std::ptrdiff_t>(descriptor + 8));
      append(bytes, ascii("data"));
      append(bytes, little(entry.sequence_number >> 32, 4));
      bytes.insert(bytes.end(), write.page.begin() + 8, write.page.end() - 4);
      append(bytes, little(entry.sequence_number, 4));
    }
    descriptor += 32;
  }
  place(bytes, 8, little(bytes.size(), 4));
  for (const auto& [offset, change] : changes) place(bytes, offset, change);
  seal(bytes);
  return bytes;
}

Bytes locator_bytes(const VhdxLocator& pairs) {
  Bytes item = guid_bytes(locator_type_guid);
  append(item, little(0, 2));
  append(item, little(pairs.size(), 2));
  u64 text = item.size() + 12 * pairs.size();
  Bytes texts;
  for (const auto& [key, value] : pairs) {
    append(item, little(text, 4));
    append(item, little(text + key.size(), 4));
    append(item, little(key.size(), 2));
    append(item, little(value.size(), 2));
    append(texts, key);
    append(texts, value);
    text += key.size() + value.size();
  }
  append(item, texts);
  return item;
}

u64 VhdxBuilder::entry_count() const {
  const u64 blocks = block_count();
  const u64 chunks = (blocks + ratio() - 1) / ratio();
  return has_parent ? chunks * (ratio() + 1) : blocks + (blocks - 1) / ratio();
}

u64 VhdxBuilder::data_offset() const {
  return bat_offset() + (bat_length != 0 ? bat_length : mib_up(8 * entry_count()));
}

u64 VhdxBuilder::item_offset(std::size_t index) const {
  u64 offset = metadata_offset() + 64 * kib;
  const auto items = all_items();
  for (std::size_t before = 0; before < index; ++before) offset += items[before].content.size();
  return offset;
}

VhdxBuilder& VhdxBuilder::set_block(u64 block, u64 state, u64 file_offset) {
  bat[block_index(block)] = file_offset | state;
  return *this;
}

VhdxBuilder& VhdxBuilder::set_bitmap(u64 chunk, u64 state, u64 file_offset) {
  bat[bitmap_index(chunk)] = file_offset | state;
  return *this;
}

u64 VhdxBuilder::add_block(u64 block, u8 fill, u64 state) {
  const u64 offset = end();
  contents[offset] = filled(block_size, fill);
  set_block(block, state, offset);
  return offset;
}

u64 VhdxBuilder::add_bitmap(u64 chunk, const Bytes& bits) {
  const u64 offset = end();
  Bytes block(mib);
  place(block, 0, bits);
  contents[offset] = block;
  set_bitmap(chunk, 6, offset);
  return offset;
}

u64 VhdxBuilder::end() const {
  u64 end = data_offset();
  for (const auto& [offset, bytes] : contents) end = std::max(end, mib_up(offset + bytes.size()));
  for (const VhdxRegion& region : extra_regions) end = std::max(end, region.offset + region.length);
  return end;
}

std::shared_ptr<MemoryFile> VhdxBuilder::build() const {
  auto file = std::make_shared<MemoryFile>("built.vhdx");
  require(file->resize(file_end != 0 ? file_end : end()));
  write_identifier(*file);
  write_headers(*file);
  write_region_tables(*file);
  write_metadata(*file);
  write_log(*file);
  for (const auto& [index, raw] : bat) poke(*file, bat_entry_offset(index), raw, 8);
  for (const auto& [offset, bytes] : contents) poke(*file, offset, bytes);
  return file;
}

void VhdxBuilder::write_identifier(File& file) const {
  poke(file, 0, ascii("vhdxfile"));
  poke(file, 8, wide(creator));
}

void VhdxBuilder::write_headers(File& file) const {
  for (int slot = 0; slot < 2; ++slot) {
    Bytes header(4096);
    place(header, 0, ascii("head"));
    place(header, header_field::sequence_number, little(sequence_numbers[slot], 8));
    place(header, header_field::file_write_guid,
          guid_bytes("F0000000-1111-2222-3333-444444444444"));
    place(header, header_field::data_write_guid, guid_bytes(test_data_write_guid));
    place(header, header_field::log_guid, guid_bytes(log_guid));
    place(header, header_field::version, little(1, 2));
    place(header, header_field::log_length, little(log_length, 4));
    place(header, header_field::log_offset, little(mib, 8));
    seal(header);
    poke(file, header_place[slot], header);
  }
}

void VhdxBuilder::write_region_tables(File& file) const {
  std::vector<VhdxRegion> regions{
      {std::string(bat_guid), bat_offset(), data_offset() - bat_offset()},
      {std::string(metadata_guid), metadata_offset(), mib}};
  regions.insert(regions.end(), extra_regions.begin(), extra_regions.end());
  Bytes table(64 * kib);
  place(table, 0, ascii("regi"));
  place(table, region_field::entry_count, little(regions.size(), 4));
  u64 entry = region_field::first_entry;
  for (const VhdxRegion& region : regions) {
    place(table, entry, guid_bytes(region.guid));
    place(table, entry + region_field::offset, little(region.offset, 8));
    place(table, entry + region_field::length, little(region.length, 4));
    place(table, entry + region_field::flags, little(region.flags, 4));
    entry += region_field::entry_size;
  }
  seal(table);
  for (const u64 offset : region_table_place) poke(file, offset, table);
}

std::vector<VhdxItem> VhdxBuilder::all_items() const {
  Bytes parameters = little(block_size, 4);
  append(parameters, little((fixed ? 1u : 0u) | (has_parent ? 2u : 0u), 4));
  std::vector<VhdxItem> items{
      {std::string(parameters_guid), 4, parameters},
      {std::string(size_guid), 6, little(virtual_size, 8)},
      {std::string(logical_guid), 6, little(logical_sector_size, 4)},
      {std::string(physical_guid), 6, little(physical_sector_size, 4)},
      {std::string(disk_id_guid), 6, guid_bytes("1D000000-1111-2222-3333-444444444444")}};
  if (has_parent) items.push_back({std::string(locator_guid), 4, locator_bytes(locator)});
  items.insert(items.end(), extra_items.begin(), extra_items.end());
  return items;
}

void VhdxBuilder::write_metadata(File& file) const {
  const auto items = all_items();
  Bytes table(64 * kib);
  place(table, 0, ascii("metadata"));
  place(table, item_field::entry_count, little(items.size(), 2));
  u64 entry = item_field::first_entry;
  u64 content = 64 * kib;
  for (const VhdxItem& item : items) {
    place(table, entry, guid_bytes(item.guid));
    place(table, entry + item_field::offset, little(item.content.empty() ? 0 : content, 4));
    place(table, entry + item_field::length, little(item.content.size(), 4));
    place(table, entry + item_field::flags, little(item.flags, 4));
    poke(file, metadata_offset() + content, item.content);
    content += item.content.size();
    entry += item_field::entry_size;
  }
  poke(file, metadata_offset(), table);
}

void VhdxBuilder::write_log(File& file) const {
  for (const VhdxLogEntry& entry : log) {
    const Bytes bytes = log_entry_bytes(entry);
    for (u64 sector = 0; sector < bytes.size(); sector += 4096) {
      const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(sector);
      poke(file, mib + (entry.offset + sector) % log_length, Bytes(from, from + 4096));
    }
  }
}

}  // namespace vdisk::test
