/// Sizes and numbers as people type them on the command line, and as the tool prints them.
#pragma once

#include <string>
#include <string_view>

#include "vdisk/error.h"

namespace vdisk::tool {

/// Bytes, or a whole number with one of the suffixes K M G T KiB MiB GiB TiB (powers of two, either
/// case). Errors: invalid_argument with a text that says what is wrong, without the option's name.
[[nodiscard]] Result<u64> parse_offset(std::string_view text);
/// The same, but 0 is refused.
[[nodiscard]] Result<u64> parse_size(std::string_view text);
/// SIZE, or +SIZE / -SIZE relative to `current`.
[[nodiscard]] Result<u64> parse_relative_size(std::string_view text, u64 current);
/// Whether the text has the form that only parse_relative_size understands.
[[nodiscard]] bool is_relative_size(std::string_view text);
/// A whole number without suffix, decimal or 0x..., at most `limit`.
[[nodiscard]] Result<u64> parse_number(std::string_view text, u64 limit);

/// "64 GiB", "1.5 GiB", "512 bytes": the largest unit with at most two decimals.
[[nodiscard]] std::string short_size(u64 bytes);
/// short_size with the exact count behind it where the short form is not bytes already.
[[nodiscard]] std::string full_size(u64 bytes);

}  // namespace vdisk::tool
