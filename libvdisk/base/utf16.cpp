#include "base/utf16.h"

#include <utility>

namespace vdisk {

namespace {

constexpr u32 replacement = 0xFFFD;
constexpr u32 high_surrogate = 0xD800;
constexpr u32 low_surrogate = 0xDC00;
constexpr u32 surrogates_end = 0xE000;
constexpr u32 first_supplementary = 0x10000;
constexpr u32 last_code_point = 0x10FFFF;

u32 unit_at(std::span<const std::byte> data, std::size_t index, ByteOrder order) {
  const auto first = std::to_integer<u32>(data[2 * index]);
  const auto second = std::to_integer<u32>(data[2 * index + 1]);
  return order == ByteOrder::little ? first | second << 8 : first << 8 | second;
}

void append_utf8(std::string& out, u32 code_point) {
  const auto put = [&out](u32 byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < first_supplementary) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

/// The code point at `index`, which is moved past it; empty for a lone surrogate (moved by one).
std::optional<u32> next_code_point(std::span<const std::byte> data, std::size_t& index,
                                   ByteOrder order) {
  const u32 unit = unit_at(data, index++, order);
  if (unit < high_surrogate || unit >= surrogates_end) return unit;
  if (unit >= low_surrogate || index >= data.size() / 2) return std::nullopt;
  const u32 low = unit_at(data, index, order);
  if (low < low_surrogate || low >= surrogates_end) return std::nullopt;
  ++index;
  return first_supplementary + ((unit - high_surrogate) << 10) + (low - low_surrogate);
}

/// The code point at `index` of UTF-8, which is moved past it; empty when malformed.
std::optional<u32> next_utf8(std::string_view text, std::size_t& index) {
  const auto byte = [&](std::size_t at) { return static_cast<u32>(static_cast<u8>(text[at])); };
  const u32 lead = byte(index++);
  if (lead < 0x80) return lead;
  const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - index < more) return std::nullopt;
  u32 code_point = lead & (0x3Fu >> more);
  for (std::size_t n = 0; n < more; ++n, ++index) {
    if ((byte(index) & 0xC0) != 0x80) return std::nullopt;
    code_point = code_point << 6 | (byte(index) & 0x3F);
  }
  constexpr u32 smallest[] = {0, 0x80, 0x800, first_supplementary};
  const bool surrogate = code_point >= high_surrogate && code_point < surrogates_end;
  if (code_point < smallest[more] || code_point > last_code_point || surrogate) {
    return std::nullopt;
  }
  return code_point;
}

void append_unit(std::vector<std::byte>& out, u32 unit, ByteOrder order) {
  const auto low = static_cast<std::byte>(unit & 0xFF);
  const auto high = static_cast<std::byte>(unit >> 8);
  out.push_back(order == ByteOrder::little ? low : high);
  out.push_back(order == ByteOrder::little ? high : low);
}

}  // namespace

std::optional<std::string> decode_utf16(std::span<const std::byte> data, ByteOrder order) {
  if (data.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (std::size_t index = 0; index < data.size() / 2;) {
    const auto code_point = next_code_point(data, index, order);
    if (!code_point || *code_point == 0) return std::nullopt;
    append_utf8(out, *code_point);
  }
  return out;
}

std::string decode_utf16_lossy(std::span<const std::byte> data, ByteOrder order) {
  std::string out;
  for (std::size_t index = 0; index < data.size() / 2;) {
    const u32 code_point = next_code_point(data, index, order).value_or(replacement);
    if (code_point == 0) break;
    append_utf8(out, code_point);
  }
  return out;
}

std::optional<std::vector<std::byte>> encode_utf16(std::string_view utf8, ByteOrder order) {
  std::vector<std::byte> out;
  out.reserve(2 * utf8.size());
  for (std::size_t index = 0; index < utf8.size();) {
    const auto code_point = next_utf8(utf8, index);
    if (!code_point) return std::nullopt;
    if (*code_point < first_supplementary) {
      append_unit(out, *code_point, order);
      continue;
    }
    const u32 rest = *code_point - first_supplementary;
    append_unit(out, high_surrogate + (rest >> 10), order);
    append_unit(out, low_surrogate + (rest & 0x3FF), order);
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (std::size_t index = 0; index < text.size();) {
    if (!next_utf8(text, index)) return false;
  }
  return true;
}

}  // namespace vdisk
