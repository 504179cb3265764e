/// What the terminal at the other end can show.
#pragma once

#include <string>
#include <string_view>

namespace vdisk::tool {

enum class Stream { output, error };
enum class Colour { red, yellow, cyan };

/// A terminal that understands control sequences, by TERM.
[[nodiscard]] bool is_terminal(Stream stream);
/// The text in bold and this colour where a terminal reads along and the user has not set NO_COLOR
/// (to anything but nothing); the bare text elsewhere.
[[nodiscard]] std::string coloured(Colour colour, std::string_view text, Stream stream);

}  // namespace vdisk::tool
