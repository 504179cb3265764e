/// The code of the formatting library, inside the tool. Only the program includes this file: with
/// it, and with the C++ runtime linked in, the tool needs neither shared library, and the start of
/// the program takes less than half of the instructions (their relocations were most of it).
/// Nothing depends on it: what is missing here is taken from the shared library.
#define FMT_HEADER_ONLY
#include <fmt/format.h>

namespace {

/// What calls of fmt::format come down to; naming it makes the compiler emit it.
[[gnu::used]] constexpr auto kept =
    static_cast<std::string (*)(fmt::string_view, fmt::format_args)>(&fmt::vformat);

}  // namespace
