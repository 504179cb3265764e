/// Output: one place that escapes, one place that writes.
#include "output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vdisk::tool {
namespace {

struct Decoded {
  char32_t code_point = 0;
  std::size_t length = 0;  ///< bytes; 0: not UTF-8
};

struct Lead {
  std::size_t length;
  char32_t bits;
  char32_t smallest;  ///< anything below is an overlong form
};

std::optional<Lead> lead_of(unsigned char byte) {
  if (byte < 0x80) return Lead{1, byte, 0};
  if ((byte & 0xE0) == 0xC0) return Lead{2, byte & 0x1FU, 0x80};
  if ((byte & 0xF0) == 0xE0) return Lead{3, byte & 0x0FU, 0x800};
  if ((byte & 0xF8) == 0xF0) return Lead{4, byte & 0x07U, 0x10000};
  return std::nullopt;
}

Decoded decode(std::string_view text) {
  const auto lead = lead_of(static_cast<unsigned char>(text.front()));
  if (!lead || lead->length > text.size()) return {};
  char32_t value = lead->bits;
  for (const char c : text.substr(1, lead->length - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte & 0x3FU);
  }
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < lead->smallest || value > 0x10FFFF || surrogate) return {};
  return {value, lead->length};
}

struct CodeRange {
  char32_t first;
  char32_t last;
};
/// Characters that are invisible, break lines, or change the direction of writing.
constexpr CodeRange deceptive[] = {
    {0x0080, 0x009F},   {0x00AD, 0x00AD},   {0x034F, 0x034F}, {0x061C, 0x061C}, {0x115F, 0x1160},
    {0x180B, 0x180E},   {0x200B, 0x200F},   {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
    {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE000, 0xF8FF},
    {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF}};

bool is_deceptive(char32_t value) {
  for (const auto& range : deceptive) {
    if (value >= range.first && value <= range.last) return true;
  }
  return false;
}

std::string escaped_character(char32_t value) {
  switch (value) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
  }
  if (value < 0x100) return fmt::format("\\x{:02x}", static_cast<u32>(value));
  if (value < 0x10000) return fmt::format("\\u{:04x}", static_cast<u32>(value));
  return fmt::format("\\U{:08x}", static_cast<u32>(value));
}

bool is_control(char32_t value) {
  return value < 0x20 || value == 0x7F;
}

constexpr int indentation = 2;

std::string json_escape(char32_t value) {
  constexpr char32_t supplementary = 0x10000;
  if (value < supplementary) return fmt::format("\\u{:04x}", static_cast<u32>(value));
  const u32 rest = static_cast<u32>(value - supplementary);
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
}

/// The same document; what would act on a terminal or deceive its reader is spelled out. Such
/// characters stand in strings only.
std::string harmless_json(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [value, length] = decode(text);
    const bool harmful = value == 0x7F || is_deceptive(value);
    if (harmful) {
      result += json_escape(value);
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string dumped(const nlohmann::ordered_json& document, int indent) {
  return harmless_json(document.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [value, length] = decode(text);
    if (length == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
      text.remove_prefix(1);
      continue;
    }
    if (is_control(value) || is_deceptive(value)) {
      result += escaped_character(value);
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string to_text(const nlohmann::ordered_json& document) {
  return dumped(document, indentation);
}

std::string to_line(const nlohmann::ordered_json& document) {
  return dumped(document, -1);
}

void print(std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_line(std::string_view text) {
  print(text);
  print("\n");
}

void print_json(const nlohmann::ordered_json& document) {
  print_line(to_text(document));
}

void print_result(const OutputOptions& options, std::string_view sentence) {
  if (!options.quiet && !options.json) print_line(sentence);
}

Status flush_output() {
  const bool failed_before = std::ferror(stdout) != 0;
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  const int code = errno != 0 ? errno : EIO;
  if (flushed && !failed_before) return {};
  return std::unexpected(Error{
      Errc::io, fmt::format("cannot write to the standard output: {}", std::strerror(code)), code});
}

}  // namespace vdisk::tool
