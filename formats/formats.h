/// The one table of formats, and probing.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "vdisk/format.h"

namespace vdisk {

/// All formats, in the order in which they are tried.
[[nodiscard]] std::span<const Format* const> all_formats();
/// The row of that name; null when unknown.
[[nodiscard]] const Format* find_format(std::string_view name);
/// The row whose extensions contain this one (with the dot, any case); null when none.
[[nodiscard]] const Format* find_format_by_extension(std::string_view extension);

/// Which format the content of a file is. Null: no format recognises it. Two formats that both
/// recognise it (a signature at the start and another one's trailer included) are
/// ambiguous_format: only the caller can decide. Reads the first 512 and last 1024 bytes at most.
[[nodiscard]] Result<const Format*> probe(const File& file);

}  // namespace vdisk
