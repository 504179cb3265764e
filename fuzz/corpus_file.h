/// Corpora as text: a line for each input, its name and its bytes in base64 (fuzz/corpus.py).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vdisk::fuzz {

struct CorpusInput {
  std::string name;
  std::vector<unsigned char> bytes;
};

/// Empty when the text is not base64 of whole groups.
[[nodiscard]] std::optional<std::vector<unsigned char>> decode_base64(std::string_view text);
/// One line; empty for comments and blank lines, which hold no input. A line that is neither has
/// an input without a name.
[[nodiscard]] std::optional<CorpusInput> parse_corpus_line(std::string_view line);

}  // namespace vdisk::fuzz
