/// create: a new image, empty, filled from another one, or a child of a parent.
#include <fmt/format.h>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "profiles.h"
#include "raw_target.h"
#include "run_job.h"
#include "size.h"

namespace vdisk::tool {
namespace {

class Create : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Status apply_profile_chosen();
  /// Refusals of what was asked for, as opposed to those of the source or the parent.
  [[nodiscard]] bool is_usage(const Error& error) const;

  CreateOptions options_;
  OutputOptions output_;
  const Profile* profile_ = nullptr;
};

void Create::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.target.path,
                       "the new image; .vhd, .vhdx or .raw / .img decide the format");
  arguments.size("--size", options_.size, "size of the disk, such as 64G (default: the source's)");
  arguments.path("--source", options_.source, "an image of any format whose content is copied");
  arguments.path("--parent", options_.parent, "make a child of this image (differencing)");
  arguments.text("--parent-windows-path", "PATH", options_.parent_windows_path,
                 "where Windows finds the parent, kept beside the relative path");
  arguments.choice<const Profile*>("--profile", profile_, profile_choices(), profile_list());
  declare_target(arguments, options_.target);
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_option = "--source-format",
                .format_of = "the source or the parent",
                .explicit_parent = false});
  arguments.example("create disk.vhdx --size 64G", "a dynamic VHDX that grows as it is filled");
  arguments.example("create disk.vhd --size 30G --profile azure",
                    "a fixed VHD for upload to Azure");
  arguments.example("create copy.vhdx --source disk.raw", "a VHDX with the content of a raw disk");
  arguments.example("create child.vhdx --parent base.vhdx",
                    "changes go to the child, the base stays as it is");
}

Status Create::apply_profile_chosen() {
  if (profile_ == nullptr) return {};
  const auto extension_format = format_for_extension(options_.target.path);
  return apply_profile(*profile_, extension_format, options_.target);
}

bool Create::is_usage(const Error& error) const {
  if (options_.source || options_.parent) return false;
  return error.code == Errc::block_size_invalid || error.code == Errc::virtual_size_invalid ||
         error.code == Errc::limit || error.code == Errc::host_sector_size_unsupported;
}

Result<Exit> Create::run() {
  if (!options_.size && !options_.source && !options_.parent)
    return usage_error("--size is missing: how large shall the disk be?");
  if (options_.source && options_.parent)
    return usage_error("--source and --parent exclude each other");
  TOOL_TRY(apply_profile_chosen());
  TOOL_TRY(check_raw_target(options_.target, format_for_extension(options_.target.path)));
  auto created = run_job<CreatedDisk>(
      "create", output_, [this](Progress& progress) { return create(options_, progress); });
  if (!created) {
    auto error = std::move(created).error();
    if (is_usage(error)) error.code = Errc::invalid_argument;
    return std::unexpected(std::move(error));
  }
  const auto source_size = created->copied ? created->copied->source_size : created->virtual_size;
  auto remark = rounding_remark(*created, options_.size.value_or(source_size));
  if (options_.parent) {
    const auto root = parent_root_remark(created->path, *options_.parent);
    remark += (remark.empty() || root.empty() ? "" : "; ") + root;
  }
  print_created(*created, output_, "created", remark);
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_create() {
  return std::make_unique<Create>();
}

}  // namespace vdisk::tool
