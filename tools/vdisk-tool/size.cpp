/// Sizes on the command line: strict, so that a typing error never becomes a size.
#include "size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "try.h"

namespace vdisk::tool {
namespace {

struct Unit {
  std::string_view letter;
  std::string_view name;
  u64 bytes;
};
constexpr std::array<Unit, 4> units = {{
    {"K", "KiB", kib},
    {"M", "MiB", mib},
    {"G", "GiB", gib},
    {"T", "TiB", tib},
}};

constexpr std::string_view expected_form =
    "expected a whole number of bytes, or one with K, M, G or T behind it";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, to_upper, to_upper);
}

std::unexpected<Error> refuse(std::string_view text, std::string_view reason) {
  return fail(Errc::invalid_argument, fmt::format("\"{}\" {}", text, reason));
}

Result<u64> parse_digits(std::string_view text, std::string_view digits) {
  u64 value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code != std::errc()) return refuse(text, "is too large: it does not fit in 64 bits");
  return value;
}

/// "1.5G" -> "use a whole number of a smaller unit, such as 1536M".
std::string without_fraction(std::string_view text) {
  constexpr u64 step = 1024;
  constexpr u64 largest_whole = 1'000'000;
  constexpr std::size_t most_decimals = 9;
  const auto dot = text.find('.');
  const auto letters = std::min(text.find_first_not_of("0123456789", dot + 1), text.size());
  const auto decimals = text.substr(dot + 1, letters - dot - 1);
  const auto unit = std::ranges::find_if(units, [&](const Unit& candidate) {
    const auto suffix = text.substr(letters);
    return equal_ignoring_case(suffix, candidate.letter) ||
           equal_ignoring_case(suffix, candidate.name);
  });
  const auto whole = parse_digits(text, text.substr(0, dot));
  const bool plain = unit != units.end() && !decimals.empty() && decimals.size() <= most_decimals;
  if (!plain || !whole || *whole > largest_whole) return std::string(expected_form);
  u64 scale = 1;
  for (std::size_t n = 0; n < decimals.size(); ++n) scale *= 10;
  const auto fraction = parse_digits(text, decimals);
  const u64 smaller = *whole * step + (fraction.value_or(0) * step + scale / 2) / scale;
  if (smaller == 0) return std::string(expected_form);
  const auto letter = unit == units.begin() ? std::string_view() : (unit - 1)->letter;
  return fmt::format("use a whole number of a smaller unit, such as {}{}", smaller, letter);
}

Result<u64> unit_bytes(std::string_view text, std::string_view suffix) {
  if (suffix.empty()) return u64{1};
  for (const auto& unit : units) {
    if (equal_ignoring_case(suffix, unit.letter) || equal_ignoring_case(suffix, unit.name))
      return unit.bytes;
  }
  if (suffix.front() == '.')
    return refuse(text, fmt::format("has a fraction; {}", without_fraction(text)));
  return refuse(text, fmt::format("has \"{}\" behind the number; {}", suffix, expected_form));
}

}  // namespace

Result<u64> parse_offset(std::string_view text) {
  if (text.empty())
    return fail(Errc::invalid_argument, fmt::format("the value is empty; {}", expected_form));
  if (text.front() == '-') return refuse(text, "is negative");
  const auto digits_end = std::ranges::find_if_not(text, is_digit);
  const auto digits = text.substr(0, static_cast<std::size_t>(digits_end - text.begin()));
  if (digits.empty()) return refuse(text, fmt::format("is not a size; {}", expected_form));
  TOOL_ASSIGN(const u64 count, parse_digits(text, digits));
  TOOL_ASSIGN(const u64 unit, unit_bytes(text, text.substr(digits.size())));
  if (count > std::numeric_limits<u64>::max() / unit)
    return refuse(text, "is too large: it does not fit in 64 bits");
  return count * unit;
}

Result<u64> parse_size(std::string_view text) {
  TOOL_ASSIGN(const u64 bytes, parse_offset(text));
  if (bytes == 0) return refuse(text, "is zero, expected at least 1 byte");
  return bytes;
}

bool is_relative_size(std::string_view text) {
  return text.starts_with('+') || text.starts_with('-');
}

Result<u64> parse_relative_size(std::string_view text, u64 current) {
  if (!is_relative_size(text)) return parse_size(text);
  TOOL_ASSIGN(const u64 change, parse_size(text.substr(1)));
  if (text.front() == '-') {
    if (change >= current)
      return refuse(text, fmt::format("leaves nothing of the present {} bytes", current));
    return current - change;
  }
  if (change > std::numeric_limits<u64>::max() - current)
    return refuse(text, "is too large: the new size does not fit in 64 bits");
  return current + change;
}

Result<u64> parse_number(std::string_view text, u64 limit) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const auto digits = hexadecimal ? text.substr(2) : text;
  u64 value = 0;
  const auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (code != std::errc() || end != digits.data() + digits.size() || value > limit)
    return refuse(text, fmt::format("is not a whole number from 0 to {}", limit));
  return value;
}

std::string short_size(u64 bytes) {
  const Unit* unit = nullptr;
  for (const Unit& candidate : units) {
    if (bytes >= candidate.bytes) unit = &candidate;
  }
  if (unit == nullptr) return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
  if (bytes % unit->bytes == 0) return fmt::format("{} {}", bytes / unit->bytes, unit->name);
  const double value = static_cast<double>(bytes) / static_cast<double>(unit->bytes);
  auto text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return fmt::format("{} {}", text, unit->name);
}

std::string full_size(u64 bytes) {
  if (bytes < kib) return short_size(bytes);
  return fmt::format("{} ({} bytes)", short_size(bytes), bytes);
}

}  // namespace vdisk::tool
