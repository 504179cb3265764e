// Fuzz target: a VHD of any content is opened, walked, written and opened again.
#include <array>

#include "base/bytes.h"
#include "base/checksum.h"
#include "formats/vhd/vhd.h"
#include "fuzz/image_walk.h"
#include "fuzz/sparse_input.h"

namespace {

using vdisk::u64;

constexpr u64 footer_size = 512;
constexpr u64 header_size = 1024;
constexpr std::size_t footer_checksum = 64;
constexpr std::size_t header_checksum = 36;
constexpr std::size_t footer_data_offset = 16;

template <std::size_t Size>
std::array<std::byte, Size> repair(vdisk::File& file, u64 offset, std::size_t field) {
  std::array<std::byte, Size> bytes{};
  if (!file.read_at(offset, bytes)) return bytes;
  vdisk::u32 sum = vdisk::vhd_checksum(bytes, field);
  for (std::size_t index = 4; index-- > 0; sum >>= 8) {
    bytes[field + index] = static_cast<std::byte>(sum);
  }
  (void)file.write_at(offset, bytes);
  return bytes;
}

u64 big_endian(std::span<const std::byte> bytes) {
  u64 value = 0;
  for (const std::byte byte : bytes) value = value << 8 | std::to_integer<u64>(byte);
  return value;
}

/// Footers at both ends, and the dynamic headers that they name.
void repair_checksums(vdisk::File& file) {
  const u64 size = file.size().value_or(0);
  if (size < footer_size) return;
  for (const u64 offset : {u64{0}, size - footer_size}) {
    const auto footer = repair<footer_size>(file, offset, footer_checksum);
    const u64 header = big_endian(std::span(footer).subspan<footer_data_offset, 8>());
    if (vdisk::lies_within(header, header_size, footer_size, size)) {
      repair<header_size>(file, header, header_checksum);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto input = vdisk::fuzz::decode(std::as_bytes(std::span(data, size)));
  if (input.repair_checksums) repair_checksums(*input.file);
  vdisk::fuzz::walk(vdisk::vhd::format, input);
  return 0;
}
