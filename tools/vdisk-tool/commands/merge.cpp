/// merge: the changes of a child go into one of its ancestors.
#include <limits>

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

class Merge : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void print(const Merged& merged) const;
  [[nodiscard]] bool leaves_dangling_link() const;

  Status settle_output();

  MergeOptions options_;
  OutputOptions output_;
  std::optional<std::filesystem::path> output_file_;
  Target target_;  ///< of --output
};

void Merge::declare(Arguments& arguments) {
  arguments.positional("CHILD", options_.child, "the image whose changes are written downwards");
  arguments.option(
      "--depth", "N",
      [this](const std::string& word) -> Status {
        TOOL_ASSIGN(const u64 depth, parse_number(word, std::numeric_limits<u32>::max()));
        if (depth == 0) return fail(Errc::invalid_argument, "\"0\" merges nothing");
        options_.depth = static_cast<u32>(depth);
        return {};
      },
      "how many layers to merge down (default: 1, into the parent; with --output all of them)");
  arguments.path("--base", options_.base, "the ancestor to merge into");
  arguments.flag("--all", options_.all, "merge into the last ancestor");
  arguments.path("--output", output_file_,
                 "leave the chain as it is and put the result into a new image");
  arguments.flag("--delete", options_.delete_children,
                 "remove the merged files at the end; the child's own children are linked to the "
                 "result first. With --output but neither --depth nor --base these are the whole "
                 "chain, its first image included");
  arguments.flag("--force-siblings", options_.force_siblings,
                 "merge although another image has the same parent (it becomes unusable)");
  arguments.group("The new image (--output)");
  declare_block_size(arguments, target_);
  declare_target_format(arguments, target_, "--output-format");
  declare_force(arguments, target_);
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  arguments.example("merge monday.vhdx --delete",
                    "monday's changes go into its parent, then monday.vhdx is removed");
  arguments.example("merge friday.vhdx --base disk.vhdx", "everything between goes too");
  arguments.example("merge friday.vhdx --output whole.vhdx", "the whole chain in one new image");
  arguments.example("merge friday.vhdx --depth 1 --output both.vhdx",
                    "friday and its parent in one new child of the grandparent");
}

void Merge::print(const Merged& merged) const {
  if (output_.json) {
    auto removed = nlohmann::ordered_json::array();
    for (const auto& path : merged.removed_files) removed.push_back(text_of(path));
    auto relinked = nlohmann::ordered_json::array();
    for (const auto& path : merged.relinked_files) relinked.push_back(text_of(path));
    print_json({{"path", text_of(options_.child)},
                {"into", text_of(merged.into)},
                {"merged_bytes", merged.merged_bytes},
                {"removed_files", removed},
                {"relinked_files", relinked}});
    return;
  }
  auto sentence = fmt::format("merged {} into {}: {}", escaped(text_of(options_.child)),
                              escaped(text_of(merged.into)), short_size(merged.merged_bytes));
  for (const auto& path : merged.relinked_files)
    sentence += fmt::format("\nlinked {} to it", escaped(text_of(path)));
  for (const auto& path : merged.removed_files)
    sentence += fmt::format("\nremoved {}", escaped(text_of(path)));
  if (leaves_dangling_link())
    sentence += fmt::format("\nthe link {} leads nowhere now", escaped(text_of(options_.child)));
  print_result(output_, sentence);
}

/// The image that a link leads to is removed, the link is not.
bool Merge::leaves_dangling_link() const {
  std::error_code code;
  return std::filesystem::is_symlink(options_.child, code) &&
         !std::filesystem::exists(options_.child, code);
}

Status Merge::settle_output() {
  if (output_file_) {
    target_.path = *output_file_;
    options_.output = target_;
    return {};
  }
  if (!target_.replace && !target_.block_size && !target_.format) return {};
  return usage_error("--force, --block-size and --output-format go with --output");
}

Result<Exit> Merge::run() {
  const int ways = (options_.depth ? 1 : 0) + (options_.base ? 1 : 0) + (options_.all ? 1 : 0);
  if (ways > 1) return usage_error("--depth, --base and --all exclude each other");
  TOOL_TRY(settle_output());
  TOOL_ASSIGN(const auto merged, run_job<Merged>("merge", output_, [this](Progress& progress) {
                return merge(options_, progress);
              }));
  if (!options_.output) warn_about_neighbours(merged.into, options_.open);
  print(merged);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_merge() {
  return std::make_unique<Merge>();
}

}  // namespace vdisk::tool
