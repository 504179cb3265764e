#include "base/checksum.h"

#include <array>
#include <cstring>
#include <numeric>

#include <isa-l/crc.h>
#include <isa-l/mem_routines.h>
#include <zlib.h>

namespace vdisk {

namespace {

constexpr std::size_t field_size = 4;
/// ISA-L takes the length as an int.
constexpr std::size_t crc_piece = std::size_t{1} << 30;

/// Raw CRC state, without the initial and final inversion. ISA-L only reads the buffer, although
/// its parameter is not const.
u32 crc_update(u32 state, std::span<const std::byte> data) noexcept {
  while (!data.empty()) {
    const auto piece = data.first(std::min(data.size(), crc_piece));
    auto* bytes = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(piece.data()));
    state = crc32_iscsi(bytes, static_cast<int>(piece.size()), state);
    data = data.subspan(piece.size());
  }
  return state;
}

u32 byte_sum(std::span<const std::byte> data) noexcept {
  return std::accumulate(data.begin(), data.end(), u32{0},
                         [](u32 sum, std::byte byte) { return sum + std::to_integer<u32>(byte); });
}

}  // namespace

u32 crc32c(std::span<const std::byte> data, u32 seed) noexcept {
  return ~crc_update(~seed, data);
}

u32 crc32c_without_field(std::span<const std::byte> data, std::size_t hole) noexcept {
  constexpr std::array<std::byte, field_size> zeros{};
  u32 state = crc_update(~u32{0}, data.first(hole));
  state = crc_update(state, zeros);
  return ~crc_update(state, data.subspan(hole + field_size));
}

u32 crc32(std::span<const std::byte> data) noexcept {
  const auto* bytes = reinterpret_cast<const Bytef*>(data.data());
  return static_cast<u32>(::crc32_z(0, bytes, data.size()));
}

u32 vhd_checksum(std::span<const std::byte> data, std::size_t hole) noexcept {
  return ~(byte_sum(data.first(hole)) + byte_sum(data.subspan(hole + field_size)));
}

bool is_zero(std::span<const std::byte> data) noexcept {
  if (data.empty()) return true;
  // Most data differ in their first bytes: answer these without a call.
  u64 first = 0;
  std::memcpy(&first, data.data(), std::min(data.size(), sizeof first));
  if (first != 0) return false;
  // ISA-L only reads, although its parameter is not const.
  return isal_zero_detect(const_cast<std::byte*>(data.data()), data.size()) == 0;
}

}  // namespace vdisk
