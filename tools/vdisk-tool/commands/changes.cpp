/// diff and changes: which ranges of a disk must be copied to bring an old copy up to date.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "manifest_file.h"
#include "options.h"
#include "run_job.h"
#include "side_output.h"
#include "size.h"

namespace vdisk::tool {
namespace {

using Json = nlohmann::ordered_json;

Json changes_document(const Changes& changes) {
  auto ranges = Json::array();
  for (const auto& range : changes.ranges)
    ranges.push_back({{"offset", range.offset}, {"length", range.length}, {"zero", range.zero}});
  return {{"old_size", changes.old_size},
          {"new_size", changes.new_size},
          {"granularity", changes.granularity},
          {"changed_bytes", changes.changed_bytes},
          {"ranges", ranges}};
}

void print_changes(const Changes& changes, const OutputOptions& output) {
  if (output.json) return print_json(changes_document(changes));
  if (output.quiet) return;
  print_line(fmt::format("{:<18}{:<18}{}", "offset", "length", "content"));
  for (const auto& range : changes.ranges)
    print_line(fmt::format("{:<18}{:<18}{}", fmt::format("{:#x}", range.offset),
                           fmt::format("{:#x}", range.length), range.zero ? "zeros" : "data"));
  if (changes.old_size != changes.new_size) {
    print_line(fmt::format("size: {} before, {} now", full_size(changes.old_size),
                           full_size(changes.new_size)));
  }
  print_line(fmt::format("{} changed in {} ranges", short_size(changes.changed_bytes),
                         changes.ranges.size()));
}

class Diff : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  DiffOptions options_;
  OutputOptions output_;
};

void Diff::declare(Arguments& arguments) {
  arguments.positional("A", options_.a, "the disk as it was");
  arguments.positional("B", options_.b, "the disk as it is");
  arguments.option(
      "--granularity", "SIZE",
      [this](const std::string& word) -> Status {
        TOOL_ASSIGN(options_.granularity, parse_size(word));
        return {};
      },
      "ranges begin and end at multiples of this power of two (default 64K)");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_of = "both images", .explicit_parent = false, .only_reads = true});
  arguments.example("diff base.vhdx child.vhdx",
                    "what the child changed; what both share is not read");
  arguments.example("diff old.vhd new.vhdx --json", "exit status 0: same content, 1: different");
}

Result<Exit> Diff::run() {
  TOOL_ASSIGN(const auto changes, run_job<Changes>("diff", output_, [this](Progress& progress) {
                return diff(options_, progress);
              }));
  print_changes(changes, output_);
  const bool same = changes.ranges.empty() && changes.old_size == changes.new_size;
  return same ? Exit::success : Exit::answer_no;
}

class ChangesCommand : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  [[nodiscard]] std::vector<std::filesystem::path> images() const;

  std::filesystem::path path_;
  std::optional<std::filesystem::path> since_;
  std::optional<std::filesystem::path> save_;
  bool force_ = false;
  OpenOptions open_;
  OutputOptions output_;
};

void ChangesCommand::declare(Arguments& arguments) {
  arguments.positional("PATH", path_, "the image");
  arguments.path("--since", since_, "the manifest of the disk as it was (hash --blocks)");
  arguments.path("--save", save_, "write the manifest of the disk as it is");
  arguments.flag("-f,--force", force_, "replace an existing manifest (never an image)");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, open_, {.only_reads = true});
  arguments.example("changes disk.vhdx --since monday.json --save tuesday.json --json",
                    "what an incremental backup has to copy, and the manifest for the next one");
}

std::vector<std::filesystem::path> ChangesCommand::images() const {
  std::vector<std::filesystem::path> images = {path_};
  if (open_.parent) images.push_back(*open_.parent);
  return images;
}

Result<Exit> ChangesCommand::run() {
  if (!since_) return usage_error("--since is missing: which manifest is the disk compared with?");
  TOOL_ASSIGN(auto since, read_manifest(*since_));
  std::optional<SideOutput> saved;
  if (save_) {
    TOOL_ASSIGN(saved,
                SideOutput::prepare({.path = *save_, .replace = force_, .others = images()}));
  }
  const ChangesOptions options{.path = path_, .since = std::move(since), .open = open_};
  TOOL_ASSIGN(const auto result, run_job<ChangesSince>("changes", output_, [&](Progress& progress) {
                return changes_since(options, progress);
              }));
  if (saved) {
    TOOL_TRY(saved->save([&](const SideOutput::Put& put) { write_manifest(result.now, put); }));
  }
  print_changes(result.changes, output_);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_diff() {
  return std::make_unique<Diff>();
}
std::unique_ptr<Command> make_changes() {
  return std::make_unique<ChangesCommand>();
}

}  // namespace vdisk::tool
