#include "formats/split_parts.h"

#include <algorithm>

#include <fmt/format.h>

namespace vdisk {

namespace {

constexpr std::string_view first_extension = ".vhd";

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

}  // namespace

std::optional<unsigned> part_number(std::string_view extension) {
  if (std::ranges::equal(extension, first_extension, {}, lower)) return 0;
  if (extension.size() != first_extension.size() || extension[0] != '.') return std::nullopt;
  if (lower(extension[1]) != 'v' || !is_digit(extension[2]) || !is_digit(extension[3]))
    return std::nullopt;
  const auto number = static_cast<unsigned>((extension[2] - '0') * 10 + (extension[3] - '0'));
  if (number == 0 || number >= most_parts) return std::nullopt;
  return number;
}

std::string part_extension(unsigned number, std::string_view neighbour) {
  const bool upper = neighbour.size() > 1 && neighbour[1] == 'V';
  if (number == 0) return upper ? ".VHD" : std::string(first_extension);
  return fmt::format("{}{:02}", upper ? ".V" : ".v", number);
}

}  // namespace vdisk
