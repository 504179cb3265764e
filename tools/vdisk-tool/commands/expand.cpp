/// expand and resize: the disk gets larger. Shrinking does not exist yet, and is said so.
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

class Expand : public Command {
 public:
  explicit Expand(std::string_view verb) : verb_(verb) {}
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Result<u64> present_size() const;
  Status choose_size();
  void print(const Resized& resized) const;

  std::string verb_;
  std::string size_text_;
  ExpandOptions options_;
  OutputOptions output_;
};

/// Whether the text can be a size for this verb; what it means depends on the present size.
Status check_size_text(std::string_view verb, const std::string& text) {
  const bool relative = text.starts_with('+') || (text.starts_with('-') && verb == "resize");
  TOOL_TRY(parse_size(relative ? text.substr(1) : text));
  return {};
}

void Expand::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image to change");
  arguments.option(
      "--size", "SIZE",
      [this](const std::string& word) -> Status {
        TOOL_TRY(check_size_text(verb_, word));
        size_text_ = word;
        return {};
      },
      "the new size, or +SIZE to add to the present one");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  arguments.example(verb_ + " disk.vhdx --size 128G", "the disk has 128 GiB afterwards");
  arguments.example(verb_ + " disk.vhd --size +10G", "10 GiB more than now");
}

Result<u64> Expand::present_size() const {
  auto open = options_.open;
  open.access = Access::read_only;
  open.read_log = ReadLog::automatic;
  open.parents = ParentPolicy::none;
  open.parent.reset();
  TOOL_ASSIGN(const auto disk, Disk::open(options_.path, open));
  return disk.size();
}

Status Expand::choose_size() {
  if (size_text_.empty()) return usage_error("--size is missing");
  TOOL_ASSIGN(const u64 present, present_size());
  auto wanted = parse_relative_size(size_text_, present);
  if (!wanted) return usage_error(fmt::format("--size: {}", wanted.error().message));
  if (*wanted < present) {
    return fail(Errc::unsupported,
                fmt::format("{}: the disk has {}; shrinking to {} is not supported yet",
                            text_of(options_.path), full_size(present), full_size(*wanted)));
  }
  options_.size = *wanted;
  return {};
}

void Expand::print(const Resized& resized) const {
  if (output_.json) {
    print_json({{"path", text_of(options_.path)},
                {"old_size", resized.old_size},
                {"new_size", resized.new_size},
                {"reclaimed_bytes", resized.reclaimed_bytes}});
    return;
  }
  print_result(output_, fmt::format("expanded {}: {} -> {}", escaped(text_of(options_.path)),
                                    short_size(resized.old_size), short_size(resized.new_size)));
}

Result<Exit> Expand::run() {
  TOOL_TRY(choose_size());
  TOOL_ASSIGN(const auto resized, run_job<Resized>("expand", output_, [this](Progress& progress) {
                return expand(options_, progress);
              }));
  print(resized);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_expand() {
  return std::make_unique<Expand>("expand");
}

std::unique_ptr<Command> make_resize() {
  return std::make_unique<Expand>("resize");
}

}  // namespace vdisk::tool
