#include "vdisk/guid.h"

#include <random>

namespace vdisk {

namespace {

/// Positions of the bytes after which the text has a hyphen.
constexpr bool hyphen_after(std::size_t index) {
  return index == 3 || index == 5 || index == 7 || index == 9;
}

std::optional<u8> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<u8>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<u8>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<u8>(digit - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::string to_string(const Guid& guid) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (std::size_t index = 0; index < guid.bytes.size(); ++index) {
    text.push_back(digits[guid.bytes[index] >> 4]);
    text.push_back(digits[guid.bytes[index] & 15]);
    if (hyphen_after(index)) text.push_back('-');
  }
  return text;
}

std::optional<Guid> parse_guid(std::string_view text) {
  constexpr std::size_t text_size = 36;
  if (text.size() == text_size + 2 && text.front() == '{' && text.back() == '}') {
    text = text.substr(1, text_size);
  }
  if (text.size() != text_size) return std::nullopt;
  Guid guid;
  std::size_t at = 0;
  for (std::size_t index = 0; index < guid.bytes.size(); ++index) {
    const auto high = hex_value(text[at]);
    const auto low = hex_value(text[at + 1]);
    if (!high || !low) return std::nullopt;
    guid.bytes[index] = static_cast<u8>(*high << 4 | *low);
    at += 2;
    if (!hyphen_after(index)) continue;
    if (text[at++] != '-') return std::nullopt;
  }
  return guid;
}

Guid random_guid() {
  std::random_device source;
  Guid guid;
  for (std::size_t index = 0; index < guid.bytes.size(); index += 4) {
    const u32 bits = source();
    for (std::size_t n = 0; n < 4; ++n) guid.bytes[index + n] = static_cast<u8>(bits >> (8 * n));
  }
  guid.bytes[6] = static_cast<u8>((guid.bytes[6] & 0x0F) | 0x40);
  guid.bytes[8] = static_cast<u8>((guid.bytes[8] & 0x3F) | 0x80);
  return guid;
}

}  // namespace vdisk
