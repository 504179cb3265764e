// Fuzz target: the parsers of the command line: sizes against an evaluation of their own, arguments
// of a verb that has options of every kind, and the escaping of what is printed.
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "base/utf16.h"
#include "fuzz/promise.h"
#include "options.h"
#include "output.h"
#include "size.h"

namespace vdisk::fuzz {
namespace {

constexpr u64 current_size = 64 * mib;
constexpr std::size_t most_words = 64;

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

/// Digits and one of the suffixes, nothing else; empty when it is no size or does not fit.
std::optional<u64> evaluate(const std::string& text) {
  const auto digits = text.find_first_not_of("0123456789");
  const std::string suffix = digits == std::string::npos ? "" : upper(text.substr(digits));
  if (text.empty() || digits == 0) return std::nullopt;
  int shift = -1;
  for (const char* known : {"", "K", "M", "G", "T"}) {
    ++shift;
    const std::string letter = known;
    if (suffix != letter && (letter.empty() || suffix != letter + "IB")) continue;
    u64 value = 0;
    for (const char digit : text.substr(0, digits)) {
      if (__builtin_mul_overflow(value, u64{10}, &value)) return std::nullopt;
      if (__builtin_add_overflow(value, static_cast<u64>(digit - '0'), &value)) return std::nullopt;
    }
    if (__builtin_mul_overflow(value, u64{1} << (10 * shift), &value)) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

void parse_sizes(const std::string& text) {
  const auto expected = evaluate(text);
  const auto offset = tool::parse_offset(text);
  require(offset.has_value() == expected.has_value(), "a size is taken or refused wrongly");
  if (offset) require(*offset == *expected, "a size has another value");
  const auto size = tool::parse_size(text);
  require(size.has_value() == (expected && *expected != 0), "zero is taken as a size");
  const auto relative = tool::parse_relative_size(text, current_size);
  if (relative) require(*relative != 0, "a relative size leaves nothing");
  const auto number = tool::parse_number(text, u64{1} << 32);
  if (number) require(*number <= u64{1} << 32, "a number over its limit");
  if (offset) (void)tool::full_size(*offset);
}

void escape(const std::string& text) {
  const std::string shown = tool::escaped(text);
  require(is_utf8(shown), "escaped text is not UTF-8");
  for (const char c : shown) {
    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a control character is printed");
  }
  require(tool::escaped(shown).size() >= shown.size(), "escaping loses text");
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c != '\n') {
      words.back().push_back(c);
    } else if (words.size() < most_words) {
      words.emplace_back();
    }
  }
  return words;
}

void parse_arguments(const std::string& text) {
  tool::Arguments arguments("create", "creates an image");
  std::filesystem::path path;
  Target target;
  OpenOptions open;
  tool::OutputOptions output;
  std::optional<u64> size;
  u64 offset = 0;
  arguments.positional("PATH", path, "the image");
  arguments.size("--size", size, "size of the disk");
  arguments.offset("--offset", offset, "where to begin");
  tool::declare_target(arguments, target);
  tool::declare_output(arguments, output, tool::Takes::long_operation);
  tool::declare_open(arguments, open, {.format_option = "--source-format"});
  const auto parsed = arguments.parse(words_of(text));
  if (!parsed) {
    require(parsed.error().code == Errc::invalid_argument, "a usage error of another kind");
    return require(!parsed.error().message.empty(), "a usage error without words");
  }
  require(!size || *size != 0, "a size of zero is taken");
  require(open.metadata_cache_bytes != 0, "a cache of nothing");
  (void)arguments.help();
}

}  // namespace
}  // namespace vdisk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vdisk::fuzz;
  if (size == 0) return 0;
  std::string text;
  for (std::size_t at = 1; at < size; ++at) text.push_back(static_cast<char>(data[at]));
  switch (data[0] % 3) {
    case 0: parse_sizes(text); break;
    case 1: escape(text); break;
    default: parse_arguments(text);
  }
  return 0;
}
