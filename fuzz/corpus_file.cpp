#include "fuzz/corpus_file.h"

namespace vdisk::fuzz {

namespace {
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t group_size = 4;
constexpr unsigned bits_of_character = 6;
constexpr unsigned bits_of_byte = 8;
}  // namespace

std::optional<std::vector<unsigned char>> decode_base64(std::string_view text) {
  if (text.size() % group_size != 0) return std::nullopt;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::vector<unsigned char> bytes;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char character : text) {
    const auto value = alphabet.find(character);
    if (value == std::string_view::npos) return std::nullopt;
    bits = bits << bits_of_character | static_cast<unsigned>(value);
    count += bits_of_character;
    if (count < bits_of_byte) continue;
    count -= bits_of_byte;
    bytes.push_back(static_cast<unsigned char>(bits >> count));
  }
  return bytes;
}

std::optional<CorpusInput> parse_corpus_line(std::string_view line) {
  if (line.empty() || line.starts_with('#')) return std::nullopt;
  const auto blank = line.find(' ');
  if (blank == std::string_view::npos) return CorpusInput{};
  auto bytes = decode_base64(line.substr(blank + 1));
  if (!bytes) return CorpusInput{};
  return CorpusInput{std::string(line.substr(0, blank)), *std::move(bytes)};
}

}  // namespace vdisk::fuzz
