#include "formats/split_parts.h"

#include <fmt/format.h>

#include "formats/letter_case.h"

namespace vdisk {

namespace {

constexpr std::string_view first_extension = ".vhd";

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

}  // namespace

std::optional<unsigned> part_number(std::string_view extension) {
  const std::string name = lower_case(extension);
  if (name == first_extension) return 0;
  const bool numbered = name.size() == first_extension.size() && name.starts_with(".v") &&
                        is_digit(name[2]) && is_digit(name[3]);
  if (!numbered) return std::nullopt;
  const auto number = static_cast<unsigned>((name[2] - '0') * 10 + (name[3] - '0'));
  if (number == 0 || number >= most_parts) return std::nullopt;
  return number;
}

std::string part_extension(unsigned number, std::string_view neighbour) {
  const bool upper = neighbour.size() > 1 && neighbour[1] == 'V';
  if (number == 0) return upper ? ".VHD" : std::string(first_extension);
  return fmt::format("{}{:02}", upper ? ".V" : ".v", number);
}

}  // namespace vdisk
