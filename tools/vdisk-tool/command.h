/// A verb of the tool: what it accepts and what it does.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "arguments.h"
#include "errors.h"
#include "vdisk/error.h"

namespace vdisk::tool {

class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  /// Names the arguments; they refer to members of the command.
  virtual void declare(Arguments& arguments) = 0;
  /// Called after the arguments were parsed.
  virtual Result<Exit> run() = 0;
};

struct Verb {
  std::string_view name;
  std::string_view group;
  std::string_view summary;
  std::unique_ptr<Command> (*make)();
};

/// All verbs in the order of the help text; those of one group follow each other.
[[nodiscard]] std::span<const Verb> all_verbs();
/// Null when unknown.
[[nodiscard]] const Verb* find_verb(std::string_view name);

}  // namespace vdisk::tool
