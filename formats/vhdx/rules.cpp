#include "formats/vhdx/rules.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace vdisk::vhdx {

std::string rule_name(int rule) {
  return fmt::format("X{}", rule);
}

std::unexpected<Error> broken(int rule, Errc code, u64 offset, std::string message) {
  return fail_at(offset, code, fmt::format("{} ({})", message, rule_name(rule)));
}

std::string rule_of(const Error& error) {
  const auto open = error.message.rfind("(X");
  if (open == std::string::npos || !error.message.ends_with(')')) {
    return std::string(name(error.code));
  }
  return error.message.substr(open + 1, error.message.size() - open - 2);
}

Finding finding_of(const Error& error) {
  return {.id = rule_of(error),
          .severity = Severity::error,
          .offset = error.offset.value_or(0),
          .message = error.message};
}

Errc place_error(u64 offset, u64 length, Errc impossible) {
  return lies_within(offset, length, 0, largest_file_size) ? Errc::file_size_invalid : impossible;
}

}  // namespace vdisk::vhdx
