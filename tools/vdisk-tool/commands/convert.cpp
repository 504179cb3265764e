/// convert: the content of a disk, its whole chain, in an image of its own.
#include <fmt/format.h>

#include "command.h"
#include "commands/commands.h"
#include "images.h"
#include "options.h"
#include "run_job.h"

namespace vdisk::tool {
namespace {

class Convert : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  Status verify();

  ConvertOptions options_;
  OutputOptions output_;
  bool verify_ = false;
};

void Convert::declare(Arguments& arguments) {
  arguments.positional("SRC", options_.source, "the image to copy: raw, VHD or VHDX");
  arguments.positional("DST", options_.target.path,
                       "the new image; .vhd, .vhdx or .raw / .img decide the format");
  declare_target(arguments, options_.target);
  arguments.flag("--verify", verify_, "compare both disks afterwards");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_option = "--source-format", .format_of = "the source"});
  arguments.example("convert disk.raw disk.vhdx", "zeros and holes take no space in the result");
  arguments.example("convert disk.vhdx upload.vhd --type fixed", "a fixed VHD");
  arguments.example("convert child.vhdx whole.vhdx", "a chain becomes one image without parent");
}

Status Convert::verify() {
  const CompareOptions options{
      .a = options_.source, .b = options_.target.path, .open = options_.open};
  TOOL_ASSIGN(const auto comparison, run_job<Comparison>("verify", output_, [&](Progress& p) {
                return compare(options, p);
              }));
  if (comparison.identical) return {};
  return fail(Errc::io,
              fmt::format("{}: the copy differs from its source at offset {:#x}",
                          text_of(options_.target.path), comparison.first_difference.value_or(0)));
}

Result<Exit> Convert::run() {
  TOOL_ASSIGN(const auto created, run_job<CreatedDisk>("convert", output_, [this](Progress& p) {
                return convert(options_, p);
              }));
  if (verify_) TOOL_TRY(verify());
  print_created(created, output_, "created", verify_ ? "verified" : "");
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_convert() {
  return std::make_unique<Convert>();
}

}  // namespace vdisk::tool
