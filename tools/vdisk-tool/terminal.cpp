#include "terminal.h"

#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

namespace vdisk::tool {

namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

int sequence_of(Colour colour) {
  switch (colour) {
    case Colour::red: return 31;
    case Colour::yellow: return 33;
    case Colour::cyan: return 36;
  }
  return 0;
}

}  // namespace

bool is_terminal(Stream stream) {
  const char* type = std::getenv("TERM");
  return isatty(stream == Stream::output ? STDOUT_FILENO : STDERR_FILENO) == 1 && type != nullptr &&
         std::string_view(type) != "dumb";
}

std::string coloured(Colour colour, std::string_view text, Stream stream) {
  if (is_set("NO_COLOR") || !is_terminal(stream)) return std::string(text);
  return fmt::format("\x1b[1;{}m{}\x1b[0m", sequence_of(colour), text);
}

}  // namespace vdisk::tool
