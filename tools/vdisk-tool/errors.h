/// How the tool ends: exit codes, the error line and its hint.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vdisk/error.h"

namespace vdisk::tool {

enum class Exit : int {
  success = 0,
  answer_no = 1,  ///< images differ; check found problems
  failed = 2,
  usage = 3,
};

/// A command line that cannot be right whatever the files hold.
[[nodiscard]] std::unexpected<Error> usage_error(std::string message);

/// The exit code for a failure; 128 + n when it is the consequence of signal n.
[[nodiscard]] int exit_code(const Error& error);

/// What the person can do about it; empty when nothing is known.
[[nodiscard]] std::optional<std::string> hint_for(const Error& error, std::string_view verb);

/// Prints the error on the standard error: one line, and a second one with the hint.
void report(const Error& error, std::string_view verb);
/// A line on the standard error that says what to do next.
void hint(std::string_view text);
/// A remark on the standard error that is no failure.
void remark(std::string_view text);

}  // namespace vdisk::tool
