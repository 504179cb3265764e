/// vdisk-tool: finds the verb, parses its arguments, runs it, and turns the result into an exit
/// code.
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "command.h"
#include "output.h"
#include "signals.h"
#include "try.h"
#include "vdisk/version.h"

namespace vdisk::tool {
namespace {

std::string overview() {
  std::string text =
      "vdisk-tool makes, reads and changes virtual disk images: VHD, VHDX and raw.\n\n"
      "Usage: vdisk-tool VERB [OPTIONS] ARGUMENTS\n";
  std::string_view group;
  for (const auto& verb : all_verbs()) {
    if (verb.group != group) text += fmt::format("\n{}:\n", verb.group);
    group = verb.group;
    text += fmt::format("  {:<10} {}\n", verb.name, verb.summary);
  }
  text +=
      "\nExamples:\n"
      "  vdisk-tool create disk.vhdx --size 64G\n"
      "  vdisk-tool convert disk.raw disk.vhdx\n"
      "  vdisk-tool snapshot disk.vhdx changes.vhdx\n"
      "  vdisk-tool merge changes.vhdx --delete\n"
      "\n`vdisk-tool help VERB` shows the options of a verb, with examples; --version the "
      "version.\n"
      "Exit status: 0 success, 1 the answer is no (images differ, problems found), 2 failure,\n"
      "3 wrong usage, 128 + n ended by signal n.\n";
  return text;
}

Error unknown_verb(std::string_view word) {
  std::vector<std::string_view> names = {"help"};
  for (const auto& verb : all_verbs()) names.push_back(verb.name);
  const auto meant = nearest(word, names);
  return Error{Errc::invalid_argument,
               meant.empty() ? fmt::format("unknown verb \"{}\"", word)
                             : fmt::format("unknown verb \"{}\"; did you mean {}?", word, meant)};
}

Result<Exit> run_verb(const Verb& verb, const std::vector<std::string>& words) {
  const auto command = verb.make();
  Arguments arguments(verb.name, fmt::format("{}: {}.", verb.name, verb.summary));
  command->declare(arguments);
  TOOL_ASSIGN(const auto parsed, arguments.parse(words));
  if (parsed == Arguments::Parsed::show_help) {
    print(arguments.help());
    return Exit::success;
  }
  return command->run();
}

/// One line for scripts, then what a bug report needs.
std::string version_text() {
#ifdef NDEBUG
  constexpr std::string_view assertions = "off";
#else
  constexpr std::string_view assertions = "on";
#endif
#ifdef __clang__
  constexpr std::string_view compiler;
#else
  constexpr std::string_view compiler = "GCC ";
#endif
  return fmt::format(
      "vdisk-tool {}\n"
      "formats: vhd, vhdx (fixed, dynamic, differencing), raw; digests: xxh3-128, sha256\n"
      "built by {}{}, assertions {}",
      version(), compiler, __VERSION__, assertions);
}

/// `--help`, `--version` and `help VERB`; everything else is a verb.
Result<Exit> run_line(std::vector<std::string> words) {
  if (words.empty()) return usage_error("a verb is missing");
  auto first = words.front();
  words.erase(words.begin());
  if (first == "--version") {
    print_line(version_text());
    return Exit::success;
  }
  if (first == "help" && !words.empty() && !words.front().starts_with('-')) {
    first = words.front();
    words = {"--help"};
  } else if (first == "help" || first == "--help" || first == "-h") {
    print(overview());
    return Exit::success;
  }
  if (first.starts_with('-'))
    return usage_error(fmt::format("\"{}\" comes before the verb; options follow it", first));
  const auto* const verb = find_verb(first);
  if (verb == nullptr) return std::unexpected(unknown_verb(first));
  return run_verb(*verb, words);
}

int run_program(const std::vector<std::string>& words) {
  const auto* const known = words.empty() ? nullptr : find_verb(words.front());
  const auto verb = known == nullptr ? std::string_view() : known->name;
  const auto result = run_line(words);
  const auto flushed = flush_output();
  if (!result) {
    report(result.error(), verb);
    return exit_code(result.error());
  }
  if (!flushed) {
    report(flushed.error(), verb);
    return exit_code(flushed.error());
  }
  return static_cast<int>(*result);
}

}  // namespace
}  // namespace vdisk::tool

int main(int argc, char** argv) {
  vdisk::tool::prepare_process();
  return vdisk::tool::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
}
