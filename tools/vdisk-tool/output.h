/// What the tool prints: JSON, and text in which nothing from an image or a file name can act on
/// the terminal.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "vdisk/error.h"

namespace vdisk::tool {

/// How results and progress are shown.
enum class ProgressStyle { automatic, bar, json, none };
struct OutputOptions {
  bool json = false;
  bool quiet = false;
  ProgressStyle progress = ProgressStyle::automatic;
};

/// Printable UTF-8 stays; control characters, escape sequences, characters that change the
/// direction of writing or are invisible, and bytes that are not UTF-8 become \n, \x1b, \u202e ...
[[nodiscard]] std::string escaped(std::string_view text);

/// One document; bytes that are not UTF-8 become U+FFFD, and characters that act on a terminal or
/// deceive are written as \u202e ... Without a line end.
[[nodiscard]] std::string to_text(const nlohmann::ordered_json& document);
/// The same on one line.
[[nodiscard]] std::string to_line(const nlohmann::ordered_json& document);

/// Adds to the standard output; failures are kept for flush_output.
void print(std::string_view text);
void print_line(std::string_view text);
/// The document and a line end.
void print_json(const nlohmann::ordered_json& document);
/// The sentence that says what was done: not with --quiet or --json.
void print_result(const OutputOptions& options, std::string_view sentence);
/// Everything printed has reached the standard output. Errors: io, with errno.
[[nodiscard]] Status flush_output();

}  // namespace vdisk::tool
