/// expand, shrink and resize: another size for the disk.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"
#include "size.h"

namespace vdisk::tool {
namespace {

class Resize : public Command {
 public:
  explicit Resize(std::string_view verb) : verb_(verb) {}
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  [[nodiscard]] bool grows() const { return verb_ != "shrink"; }
  [[nodiscard]] bool shrinks() const { return verb_ != "expand"; }
  Status take_size(const std::string& word);
  void declare_examples(Arguments& arguments) const;
  Result<u64> present_size() const;
  Result<Resized> perform(std::optional<u64> size, Progress& progress) const;
  void print(const Resized& resized) const;

  std::string verb_;
  std::string size_text_;
  bool to_smallest_safe_ = false;
  ResizeOptions options_;
  OutputOptions output_;
};

/// What the text means depends on the present size; whether it can be right does not.
Status Resize::take_size(const std::string& word) {
  const bool relative = (word.starts_with('+') && grows()) || (word.starts_with('-') && shrinks());
  TOOL_TRY(parse_size(relative ? word.substr(1) : word));
  size_text_ = word;
  return {};
}

void Resize::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image to change");
  const std::string_view help =
      verb_ == "expand"   ? "the new size, or +SIZE to add to the present one"
      : verb_ == "shrink" ? "the new size, or -SIZE to take from the present one"
                          : "the new size, or +SIZE or -SIZE from the present one on";
  arguments.option(
      "--size", "SIZE", [this](const std::string& word) { return take_size(word); }, help);
  if (verb_ == "shrink") {
    arguments.flag("--to-smallest-safe", to_smallest_safe_,
                   "as small as the partitions and their table allow");
  }
  if (grows()) {
    arguments.flag("--fix-gpt", options_.fix_gpt,
                   "move the backup of a GUID partition table to the new end");
  }
  if (shrinks()) {
    arguments.flag("--allow-data-loss", options_.allow_data_loss,
                   "cut off partitions and data behind the new end");
  }
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  declare_examples(arguments);
}

void Resize::declare_examples(Arguments& arguments) const {
  if (verb_ == "shrink") {
    arguments.example("shrink disk.vhdx --size 32G", "refused when data would be lost");
    arguments.example("shrink disk.vhdx --to-smallest-safe", "up to the end of the last partition");
    return;
  }
  arguments.example(verb_ + " disk.vhdx --size 128G --fix-gpt",
                    "the disk has 128 GiB afterwards, and its GPT fits");
  arguments.example(verb_ + " disk.vhd --size +10G", "10 GiB more than now");
}

Result<u64> Resize::present_size() const {
  auto open = options_.open;
  open.access = Access::read_only;
  open.read_log = ReadLog::automatic;
  open.parents = ParentPolicy::none;
  open.parent.reset();
  TOOL_ASSIGN(const auto disk, Disk::open(options_.path, open));
  return disk.size();
}

Result<Resized> Resize::perform(std::optional<u64> size, Progress& progress) const {
  if (verb_ == "shrink") {
    return shrink({.path = options_.path,
                   .size = size,
                   .allow_data_loss = options_.allow_data_loss,
                   .open = options_.open},
                  progress);
  }
  ResizeOptions options = options_;
  options.size = size.value_or(0);
  if (verb_ == "resize") return resize(options, progress);
  return expand({.path = options.path,
                 .size = options.size,
                 .fix_gpt = options.fix_gpt,
                 .open = options.open},
                progress);
}

std::string_view verb_of(const Resized& resized) {
  return resized.new_size < resized.old_size ? "shrunk" : "expanded";
}

void Resize::print(const Resized& resized) const {
  const std::string path = text_of(options_.path);
  if (output_.json) {
    nlohmann::ordered_json document = {{"path", path},
                                       {"old_size", resized.old_size},
                                       {"new_size", resized.new_size},
                                       {"reclaimed_bytes", resized.reclaimed_bytes},
                                       {"gpt", nullptr}};
    if (resized.gpt != GptPlace::none) document["gpt"] = name(resized.gpt);
    return print_json(document);
  }
  const std::string from = short_size(resized.old_size);
  const std::string to = short_size(resized.new_size);
  auto sentence = fmt::format("{} {}: {} -> {}", verb_of(resized), escaped(path), from, to);
  if (resized.new_size == resized.old_size)
    sentence = fmt::format("kept {}: {} as before", escaped(path), to);
  if (resized.reclaimed_bytes != 0) {
    sentence += fmt::format(", the file is {} smaller", short_size(resized.reclaimed_bytes));
  }
  if (resized.gpt == GptPlace::moved) sentence += ", backup GPT moved to the new end";
  print_result(output_, sentence);
  if (resized.gpt == GptPlace::left_behind && !output_.quiet && grows()) {
    hint(
        fmt::format("the backup of the disk's GPT is not at its end; vdisk-tool expand {} --size "
                    "{} --fix-gpt moves it",
                    path, resized.new_size));
  }
}

Result<Exit> Resize::run() {
  if (size_text_.empty() != to_smallest_safe_) {
    return usage_error(to_smallest_safe_ ? "--size and --to-smallest-safe exclude each other"
                                         : "--size is missing");
  }
  std::optional<u64> wanted;
  if (!to_smallest_safe_) {
    const bool relative = is_relative_size(size_text_);
    u64 present = 0;
    if (relative) {
      TOOL_ASSIGN(present, present_size());
    }
    auto size = parse_relative_size(size_text_, present);
    if (!size) return usage_error(fmt::format("--size: {}", size.error().message));
    wanted = *size;
  }
  TOOL_ASSIGN(const auto resized, run_job<Resized>(verb_, output_, [&](Progress& progress) {
                return perform(wanted, progress);
              }));
  print(resized);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_expand() {
  return std::make_unique<Resize>("expand");
}

std::unique_ptr<Command> make_shrink() {
  return std::make_unique<Resize>("shrink");
}

std::unique_ptr<Command> make_resize() {
  return std::make_unique<Resize>("resize");
}

}  // namespace vdisk::tool
