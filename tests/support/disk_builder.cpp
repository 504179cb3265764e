#include "support/disk_builder.h"

#include <algorithm>

namespace vdisk::test {

namespace {

constexpr u64 header_size = 92;

void put_text(std::vector<std::byte>& bytes, u64 offset, std::string_view text, u64 stride) {
  for (const char c : text) {
    bytes[offset] = static_cast<std::byte>(c);
    offset += stride;
  }
}

void put_header(std::vector<std::byte>& disk, const GptShape& shape, u64 own, u64 other,
                u64 entries) {
  const u64 at = own * shape.sector_size;
  put_text(disk, at, "EFI PART", 1);
  put_little(disk, at + 8, 0x00010000, 4);
  put_little(disk, at + 12, header_size, 4);
  put_little(disk, at + 24, own, 8);
  put_little(disk, at + 32, other, 8);
  put_little(disk, at + 40, 2 + shape.entries_sectors(), 8);
  put_little(disk, at + 48, shape.sectors - shape.entries_sectors() - 2, 8);
  for (u64 n = 0; n < 16; ++n) put_little(disk, at + 56 + n, 0xD0 + n, 1);
  put_little(disk, at + 72, entries, 8);
  put_little(disk, at + 80, shape.entry_count, 4);
  put_little(disk, at + 84, shape.entry_size, 4);
  for (std::size_t n = 0; n < shape.parts.size(); ++n) {
    const u64 entry = entries * shape.sector_size + n * shape.entry_size;
    put_little(disk, entry, 0xAF3DC60F, 4);
    put_little(disk, entry + 16, n + 1, 8);
    put_little(disk, entry + 32, shape.parts[n].first, 8);
    put_little(disk, entry + 40, shape.parts[n].last, 8);
    put_text(disk, entry + 56, shape.parts[n].name, 2);
  }
  seal_gpt(disk, own, shape.sector_size);
}

}  // namespace

u64 GptShape::entries_sectors() const {
  return (u64{entry_count} * entry_size + sector_size - 1) / sector_size;
}

std::vector<std::byte> gpt_disk(const GptShape& shape) {
  std::vector<std::byte> disk(shape.size());
  put_mbr(disk, 0, {{.type = 0xEE, .first = 1, .count = static_cast<u32>(shape.sectors - 1)}});
  put_header(disk, shape, 1, shape.sectors - 1, 2);
  put_header(disk, shape, shape.sectors - 1, 1, shape.sectors - 1 - shape.entries_sectors());
  return disk;
}

void seal_gpt(std::vector<std::byte>& disk, u64 header_sector, u32 sector_size) {
  const u64 at = header_sector * sector_size;
  const u64 entries = get_little(disk, at + 72, 8) * sector_size;
  const u64 length = get_little(disk, at + 80, 4) * get_little(disk, at + 84, 4);
  if (entries <= disk.size() && length <= disk.size() - entries) {
    put_little(disk, at + 88, plain_crc32(std::span(disk).subspan(entries, length)), 4);
  }
  put_little(disk, at + 16, 0, 4);
  const u64 size = std::min<u64>(get_little(disk, at + 12, 4), sector_size);
  put_little(disk, at + 16, plain_crc32(std::span(disk).subspan(at, size)), 4);
}

void put_mbr(std::vector<std::byte>& disk, u64 offset, const std::vector<MbrPart>& parts) {
  for (std::size_t n = 0; n < parts.size(); ++n) {
    const u64 entry = offset + 446 + 16 * n;
    put_little(disk, entry, parts[n].status, 1);
    put_little(disk, entry + 4, parts[n].type, 1);
    put_little(disk, entry + 8, parts[n].first, 4);
    put_little(disk, entry + 12, parts[n].count, 4);
  }
  put_little(disk, offset + 510, 0xAA55, 2);
}

u32 plain_crc32(std::span<const std::byte> data) {
  constexpr u32 polynomial = 0xEDB88320;
  u32 state = 0xFFFFFFFF;
  for (const std::byte byte : data) {
    state ^= std::to_integer<u32>(byte);
    for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ (state & 1 ? polynomial : 0);
  }
  return ~state;
}

void put_little(std::vector<std::byte>& bytes, u64 offset, u64 value, std::size_t size) {
  for (std::size_t n = 0; n < size; ++n) {
    bytes.at(offset + n) = static_cast<std::byte>(value >> (8 * n) & 0xFF);
  }
}

u64 get_little(const std::vector<std::byte>& bytes, u64 offset, std::size_t size) {
  u64 value = 0;
  for (std::size_t n = 0; n < size; ++n) {
    value |= std::to_integer<u64>(bytes.at(offset + n)) << (8 * n);
  }
  return value;
}

}  // namespace vdisk::test
