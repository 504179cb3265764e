/// Command lines by CLI11; its exceptions end here, its messages are replaced by ours.
#include "arguments.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "errors.h"
#include "size.h"
#include "try.h"

namespace vdisk::tool {

struct Arguments::Entry {
  std::string names;        ///< "-q,--quiet", or the name of a positional
  std::string placeholder;  ///< empty: a flag
  std::string help;
  std::string group;
};

struct Arguments::Parser {
  std::string verb;
  std::string summary;
  std::string group = "Options";
  CLI::App app;
  std::vector<Entry> positionals;
  std::vector<Entry> options;
  std::vector<std::pair<std::string, std::string>> examples;
};

namespace {

constexpr std::size_t help_column = 30;
constexpr std::size_t help_width = 92;

/// The long name of "-q,--quiet".
std::string_view long_name(std::string_view names) {
  const auto comma = names.rfind(',');
  return comma == std::string_view::npos ? names : names.substr(comma + 1);
}

/// `--name=` would make the parser take the next word: the empty value becomes a word. What
/// follows `--` are names.
std::vector<std::string> prepared(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  bool options_ended = false;
  for (const auto& word : words) {
    if (options_ended && word == "-") {
      result.emplace_back("./-");  // behind `--` it is a name, not a stream
      continue;
    }
    options_ended = options_ended || word == "--";
    const bool empty_value = !options_ended && word.starts_with("--") && word.ends_with('=');
    result.push_back(empty_value ? word.substr(0, word.size() - 1) : word);
    if (empty_value) result.emplace_back();
  }
  return result;
}

CLI::callback_t callback(Arguments::Accept accept, std::string name) {
  return [accept = std::move(accept), name = std::move(name)](const CLI::results_t& values) {
    for (const auto& value : values) {
      const auto status = accept(value);
      if (!status) throw CLI::ValidationError(name + ": " + status.error().message);
    }
    return true;
  };
}

/// `text` broken into lines of `width`, all but the first indented by `indent`.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    if (column != 0 && column + 1 + word.size() > width) {
      result += "\n" + std::string(indent, ' ');
      column = 0;
    } else if (column != 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return result;
}

std::string help_row(std::string_view left, std::string_view help) {
  auto row = fmt::format("  {}", left);
  if (row.size() + 2 > help_column) {
    row += "\n";
    row.append(help_column, ' ');
  } else {
    row.resize(help_column, ' ');
  }
  return row + wrapped(help, help_column, help_width - help_column) + "\n";
}

}  // namespace

Arguments::Arguments(std::string_view verb, std::string_view summary)
    : parser_(std::make_unique<Parser>()) {
  parser_->verb = verb;
  parser_->summary = summary;
  parser_->app.allow_extras();
  parser_->app.set_help_flag("-h,--help");
}

Arguments::~Arguments() = default;

void Arguments::group(std::string_view title) {
  parser_->group = title;
}

void Arguments::example(std::string_view command, std::string_view does) {
  parser_->examples.emplace_back(command, does);
}

void Arguments::positional(std::string_view name, std::filesystem::path& value,
                           std::string_view help) {
  const auto accept = [&value](const std::string& text) -> Status {
    if (text.empty()) return fail(Errc::invalid_argument, "the name is empty");
    value = text;
    return {};
  };
  parser_->app.add_option(std::string(name), callback(accept, std::string(name)))->required();
  parser_->positionals.push_back({std::string(name), "", std::string(help), ""});
}

void Arguments::option(std::string_view names, std::string_view placeholder, Accept accept,
                       std::string_view help) {
  parser_->app
      .add_option(std::string(names), callback(std::move(accept), std::string(long_name(names))))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  parser_->options.push_back(
      {std::string(names), std::string(placeholder), std::string(help), parser_->group});
}

void Arguments::repeatable(std::string_view names, std::string_view placeholder, Accept accept,
                           std::string_view help) {
  option(names, placeholder, std::move(accept), help);
  parser_->app.get_option(std::string(long_name(names)))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::flag(std::string_view names, bool& value, std::string_view help) {
  action(names, [&value] { value = true; }, help);
}

void Arguments::action(std::string_view names, std::function<void()> act, std::string_view help) {
  parser_->app.add_flag_callback(std::string(names), std::move(act));
  parser_->options.push_back({std::string(names), "", std::string(help), parser_->group});
}

void Arguments::text(std::string_view name, std::string_view placeholder,
                     std::optional<std::string>& value, std::string_view help) {
  const auto accept = [&value](const std::string& word) -> Status {
    value = word;
    return {};
  };
  option(name, placeholder, accept, help);
}

void Arguments::path(std::string_view name, std::optional<std::filesystem::path>& value,
                     std::string_view help) {
  const auto accept = [&value](const std::string& word) -> Status {
    if (word.empty()) return fail(Errc::invalid_argument, "the name is empty");
    value = word;
    return {};
  };
  option(name, "FILE", accept, help);
}

void Arguments::size(std::string_view name, std::optional<u64>& value, std::string_view help) {
  const auto accept = [&value](const std::string& word) -> Status {
    TOOL_ASSIGN(value, parse_size(word));
    return {};
  };
  option(name, "SIZE", accept, help);
}

void Arguments::size(std::string_view name, std::optional<u32>& value, std::string_view help) {
  const auto accept = [&value](const std::string& word) -> Status {
    TOOL_ASSIGN(const u64 bytes, parse_size(word));
    if (bytes > std::numeric_limits<u32>::max())
      return fail(Errc::invalid_argument, fmt::format("\"{}\" is 4 GiB or more", word));
    value = static_cast<u32>(bytes);
    return {};
  };
  option(name, "SIZE", accept, help);
}

void Arguments::offset(std::string_view name, u64& value, std::string_view help) {
  const auto accept = [&value](const std::string& word) -> Status {
    TOOL_ASSIGN(value, parse_offset(word));
    return {};
  };
  option(name, "OFFSET", accept, help);
}

void Arguments::chosen(std::string_view name, std::vector<std::string_view> words,
                       std::function<void(std::size_t)> take, std::string_view help) {
  const auto placeholder = fmt::format("{}", fmt::join(words, "|"));
  const auto accept = [words, take = std::move(take)](const std::string& word) -> Status {
    const auto found = std::ranges::find(words, word);
    if (found == words.end()) {
      return fail(Errc::invalid_argument,
                  fmt::format("\"{}\" is not known, expected {}", word, fmt::join(words, ", ")));
    }
    take(static_cast<std::size_t>(found - words.begin()));
    return {};
  };
  option(name, placeholder, accept, help);
}

Error Arguments::unknown_word(const std::vector<std::string>& words) const {
  const auto marker = std::ranges::find(words, "--");  // what follows it are names
  const auto option = std::find_if(words.begin(), marker, [](const std::string& word) {
    return word.size() > 1 && word.front() == '-';
  });
  if (option == marker) {
    const auto& word = words.front() == "--" ? words.back() : words.front();
    return Error{Errc::invalid_argument, fmt::format("unexpected argument \"{}\"", word)};
  }
  const auto name = std::string_view(*option).substr(0, option->find('='));
  std::vector<std::string_view> names = {"--help"};
  for (const auto& entry : parser_->options) names.push_back(long_name(entry.names));
  const auto meant = nearest(name, names);
  return Error{Errc::invalid_argument,
               meant.empty() ? fmt::format("unknown option \"{}\"", name)
                             : fmt::format("unknown option \"{}\"; did you mean {}?", name, meant)};
}

Result<Arguments::Parsed> Arguments::parse(const std::vector<std::string>& words) {
  auto& app = parser_->app;
  auto backwards = prepared(words);
  std::ranges::reverse(backwards);  // the order that the parser wants
  const auto unexpected = [&] {
    auto rest = app.remaining();
    if (std::ranges::all_of(rest, [](const std::string& word) { return word == "--"; })) rest = {};
    return rest;
  };
  try {
    app.parse(std::move(backwards));
  } catch (const CLI::CallForHelp&) {
    return Parsed::show_help;
  } catch (const CLI::ValidationError& error) {
    return usage_error(error.what());
  } catch (const CLI::ConversionError& error) {
    return usage_error(fmt::format("{} (an option that takes no value has one?)", error.what()));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string_view text = error.what();
    return usage_error(fmt::format("{}: a value is missing", text.substr(0, text.find(':'))));
  } catch (const CLI::RequiredError& error) {
    if (const auto rest = unexpected(); !rest.empty()) return std::unexpected(unknown_word(rest));
    const std::string_view text = error.what();
    return usage_error(fmt::format("{} is missing", text.substr(0, text.find(' '))));
  } catch (const CLI::Error& error) {
    return usage_error(error.what());
  }
  if (const auto rest = unexpected(); !rest.empty()) return std::unexpected(unknown_word(rest));
  return Parsed::run;
}

std::string Arguments::help() const {
  auto text = fmt::format("{}\n\nUsage: vdisk-tool {} [OPTIONS]",
                          wrapped(parser_->summary, 0, help_width), parser_->verb);
  for (const auto& entry : parser_->positionals) text += " " + entry.names;
  text += "\n\n";
  for (const auto& entry : parser_->positionals) text += help_row(entry.names, entry.help);

  std::string_view group;
  for (const auto& entry : parser_->options) {
    if (entry.group != group) text += fmt::format("\n{}:\n", entry.group);
    group = entry.group;
    const auto space = entry.placeholder.empty() ? "" : " ";
    const auto names = entry.names.starts_with("--") ? "    " + entry.names : entry.names;
    text += help_row(fmt::format("{}{}{}", names, space, entry.placeholder), entry.help);
  }
  text += "\nExamples:\n";
  for (const auto& [command, does] : parser_->examples)
    text += fmt::format("  vdisk-tool {}\n      {}\n", command, does);
  return text;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  const auto distance = [word](std::string_view candidate) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (const char letter : word) {
      std::size_t diagonal = row[0]++;
      for (std::size_t i = 1; i < row.size(); ++i) {
        const std::size_t replaced = diagonal + (candidate[i - 1] == letter ? 0 : 1);
        diagonal = row[i];
        row[i] = std::min({row[i] + 1, row[i - 1] + 1, replaced});
      }
    }
    return row.back();
  };
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto candidate : candidates) {
    const auto measured = distance(candidate);
    if (measured < best_distance) {
      best_distance = measured;
      best = candidate;
    }
  }
  return best;
}

}  // namespace vdisk::tool
