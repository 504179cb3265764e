/// snapshot: a new differencing child on an image.
#include <fmt/format.h>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"
#include "saved_state.h"

namespace vdisk::tool {
namespace {

class Snapshot : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  std::filesystem::path parent_;
  CreateOptions options_;
  OutputOptions output_;
};

void Snapshot::declare(Arguments& arguments) {
  arguments.positional("PATH", parent_, "the image that stays as it is from now on");
  arguments.positional("CHILD", options_.target.path, "the new image that takes all changes");
  arguments.size("--size", options_.size, "size of the child's disk, not less than the parent's");
  declare_block_size(arguments, options_.target);
  declare_target_format(arguments, options_.target);
  declare_id(arguments, options_.target);
  arguments.text("--parent-windows-path", "PATH", options_.parent_windows_path,
                 "where Windows finds the parent, kept beside the relative path");
  declare_force(arguments, options_.target);
  declare_output(arguments, output_, Takes::result);
  declare_open(
      arguments, options_.open,
      {.format_option = "--source-format", .format_of = "the parent", .explicit_parent = false});
  arguments.example("snapshot disk.vhdx monday.vhdx",
                    "use monday.vhdx from now on; disk.vhdx keeps the present state");
}

Result<Exit> Snapshot::run() {
  options_.parent = parent_;
  options_.target.type = ImageType::differencing;
  TOOL_ASSIGN(const auto created, run_job<CreatedDisk>("snapshot", output_, [this](Progress& p) {
                return create(options_, p);
              }));
  warn_about_saved_state(parent_);
  const auto root = parent_root_remark(created.path, parent_);
  print_created(
      created, output_, "created",
      fmt::format("child of {}{}{}", escaped(text_of(parent_)), root.empty() ? "" : "; ", root));
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_snapshot() {
  return std::make_unique<Snapshot>();
}

}  // namespace vdisk::tool
