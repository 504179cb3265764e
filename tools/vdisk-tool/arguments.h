/// What one verb accepts on the command line. The only place that knows the argument parser.
///
/// Invariant: every refusal names the argument, and is Errc::invalid_argument.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vdisk/error.h"

namespace vdisk::tool {

class Arguments {
 public:
  /// Takes one value; an error says what is wrong with it, without the name of the argument.
  using Accept = std::function<Status(const std::string& value)>;
  /// A word of the command line and what it stands for.
  template <class T>
  using Choices = std::vector<std::pair<std::string_view, T>>;

  Arguments(std::string_view verb, std::string_view summary);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments();

  /// Options declared from here on are shown below this title.
  void group(std::string_view title);
  /// A command line for the help text, without the name of the program.
  void example(std::string_view command, std::string_view does);

  /// All positional arguments are required.
  void positional(std::string_view name, std::filesystem::path& value, std::string_view help);
  void option(std::string_view names, std::string_view placeholder, Accept accept,
              std::string_view help);
  /// As option(), but may be given more than once.
  void repeatable(std::string_view names, std::string_view placeholder, Accept accept,
                  std::string_view help);
  void flag(std::string_view names, bool& value, std::string_view help);
  void action(std::string_view names, std::function<void()> act, std::string_view help);

  void text(std::string_view name, std::string_view placeholder, std::optional<std::string>& value,
            std::string_view help);
  void path(std::string_view name, std::optional<std::filesystem::path>& value,
            std::string_view help);
  /// More than 0.
  void size(std::string_view name, std::optional<u64>& value, std::string_view help);
  /// More than 0, less than 4 GiB.
  void size(std::string_view name, std::optional<u32>& value, std::string_view help);
  /// 0 is allowed.
  void offset(std::string_view name, u64& value, std::string_view help);
  template <class T, class Target>
  void choice(std::string_view name, Target& value, Choices<T> choices, std::string_view help) {
    std::vector<std::string_view> words;
    for (const auto& [word, meaning] : choices) words.push_back(word);
    chosen(
        name, std::move(words),
        [&value, choices = std::move(choices)](std::size_t index) {
          value = choices[index].second;
        },
        help);
  }

  enum class Parsed { run, show_help };
  [[nodiscard]] Result<Parsed> parse(const std::vector<std::string>& words);
  [[nodiscard]] std::string help() const;

 private:
  struct Parser;
  struct Entry;
  void chosen(std::string_view name, std::vector<std::string_view> words,
              std::function<void(std::size_t)> take, std::string_view help);
  Error unknown_word(const std::vector<std::string>& words) const;

  std::unique_ptr<Parser> parser_;
};

/// The candidate that `word` was probably meant to be; empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       const std::vector<std::string_view>& candidates);

}  // namespace vdisk::tool
