#include "support/image_bytes.h"

#include <algorithm>
#include <stdexcept>

#include "base/checksum.h"

namespace vdisk::test {
namespace {

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

void put_little(std::span<std::byte> out, u64 value) {
  for (auto& byte : out) {
    byte = static_cast<std::byte>(value & 0xFF);
    value >>= 8;
  }
}

void put_text(std::span<std::byte> out, std::string_view text) {
  std::ranges::copy(std::as_bytes(std::span(text)), out.begin());
}

}  // namespace

ImageBytes::ImageBytes(FileSystem& files, const std::filesystem::path& path) {
  auto opened = files.open(path, {.access = Access::read_write});
  if (!opened) throw std::runtime_error(opened.error().message);
  file_ = *std::move(opened);
}

u64 ImageBytes::size() const {
  return file_->size().value();
}

void ImageBytes::resize(u64 size) {
  must(file_->resize(size));
}

std::vector<std::byte> ImageBytes::read(u64 offset, u64 length) const {
  std::vector<std::byte> data(length);
  must(file_->read_at(offset, data));
  return data;
}

Page ImageBytes::page(u64 offset) const {
  Page result;
  must(file_->read_at(offset, result));
  return result;
}

void ImageBytes::write(u64 offset, std::span<const std::byte> data) {
  must(file_->write_at(offset, data));
}

u64 ImageBytes::number(u64 offset, int length, bool big) const {
  auto bytes = read(offset, static_cast<u64>(length));
  if (!big) std::ranges::reverse(bytes);
  u64 value = 0;
  for (const auto byte : bytes) value = value << 8 | static_cast<u64>(byte);
  return value;
}

void ImageBytes::set_number(u64 offset, int length, bool big, u64 value) {
  std::vector<std::byte> bytes(static_cast<u64>(length));
  put_little(bytes, value);
  if (big) std::ranges::reverse(bytes);
  write(offset, bytes);
}

u32 ImageBytes::big32(u64 offset) const {
  return static_cast<u32>(number(offset, 4, true));
}
u64 ImageBytes::big64(u64 offset) const {
  return number(offset, 8, true);
}
void ImageBytes::set_big32(u64 offset, u32 value) {
  set_number(offset, 4, true, value);
}
void ImageBytes::set_big64(u64 offset, u64 value) {
  set_number(offset, 8, true, value);
}
u16 ImageBytes::little16(u64 offset) const {
  return static_cast<u16>(number(offset, 2, false));
}
u32 ImageBytes::little32(u64 offset) const {
  return static_cast<u32>(number(offset, 4, false));
}
u64 ImageBytes::little64(u64 offset) const {
  return number(offset, 8, false);
}
void ImageBytes::set_little16(u64 offset, u16 value) {
  set_number(offset, 2, false, value);
}
void ImageBytes::set_little32(u64 offset, u32 value) {
  set_number(offset, 4, false, value);
}
void ImageBytes::set_little64(u64 offset, u64 value) {
  set_number(offset, 8, false, value);
}

void ImageBytes::seal_footer() {
  const u64 at = footer();
  set_big32(at + 64, vhd_checksum(read(at, 512), 64));
  if (big32(at + 60) != 2) write(0, read(at, 512));
}

void ImageBytes::seal_header(u64 offset) {
  set_little32(offset + 4, crc32c_without_field(read(offset, 4096), 4));
}

void ImageBytes::seal_region_table(u64 offset) {
  set_little32(offset + 4, crc32c_without_field(read(offset, 64 * kib), 4));
}

u64 ImageBytes::region(u8 first_byte) const {
  for (u64 entry = 0; entry < little32(region_tables[0] + 8); ++entry) {
    const u64 at = region_tables[0] + 16 + entry * 32;
    if (read(at, 1)[0] == std::byte{first_byte}) return little64(at + 16);
  }
  throw std::runtime_error("no such region");
}

u64 ImageBytes::bat() const {
  return region(0x66);
}
u64 ImageBytes::metadata() const {
  return region(0x06);
}

void ImageBytes::set_log_guid(const std::array<u8, 16>& guid) {
  for (const u64 header : headers) {
    write(header + 48, std::as_bytes(std::span(guid)));
    seal_header(header);
  }
}

std::vector<std::byte> LogEntry::encode(const std::array<u8, 16>& log_guid) const {
  const u64 count = data.size() + zeros.size();
  const u64 descriptor_bytes = (64 + 32 * count + 4095) / 4096 * 4096;
  std::vector<std::byte> bytes(descriptor_bytes + 4096 * data.size());
  const auto field = [&](u64 at, u64 length, u64 value) {
    put_little(std::span(bytes).subspan(at, length), value);
  };
  put_text(bytes, "loge");
  field(8, 4, bytes.size());
  field(12, 4, tail);
  field(16, 8, sequence);
  field(24, 4, count);
  std::ranges::copy(std::as_bytes(std::span(log_guid)), bytes.begin() + 32);
  field(48, 8, file_size);
  field(56, 8, file_size);
  u64 at = 64;
  for (const auto& zero : zeros) {
    put_text(std::span(bytes).subspan(at), "zero");
    field(at + 8, 8, zero.length);
    field(at + 16, 8, zero.file_offset);
    field(at + 24, 8, sequence);
    at += 32;
  }
  u64 sector = descriptor_bytes;
  for (const auto& [file_offset, page] : data) {
    const auto here = std::span(bytes).subspan(at, 32);
    put_text(here, "desc");
    std::copy_n(page.end() - 4, 4, here.begin() + 4);
    std::copy_n(page.begin(), 8, here.begin() + 8);
    field(at + 16, 8, file_offset);
    field(at + 24, 8, sequence);
    at += 32;
    put_text(std::span(bytes).subspan(sector), "data");
    field(sector + 4, 4, sequence >> 32);
    std::copy(page.begin() + 8, page.end() - 4, std::span(bytes).subspan(sector + 8).begin());
    field(sector + 4092, 4, sequence & 0xFFFFFFFF);
    sector += 4096;
  }
  field(4, 4, crc32c_without_field(bytes, 4));
  return bytes;
}

}  // namespace vdisk::test
