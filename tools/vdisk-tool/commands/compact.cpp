/// compact: a smaller file for the same disk.
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

class Compact : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void print_document(const Compacted& compacted) const;
  void print_estimate(const Compacted& compacted) const;
  [[nodiscard]] std::string sentence(const Compacted& compacted) const;

  CompactOptions options_;
  OutputOptions output_;
};

void Compact::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image");
  arguments.flag("--estimate", options_.estimate,
                 "only tell what would be gained; nothing is changed");
  arguments.flag("--copy", options_.copy,
                 "through a new file that replaces the old one when it is complete");
  arguments.flag("--sparse", options_.punch,
                 "also give zeros inside stored blocks, and of fixed and raw disks, back to the "
                 "host's file system");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  arguments.example("compact disk.vhdx --estimate", "how much smaller the file can get");
  arguments.example("compact disk.vhdx", "in place; may be interrupted and run again at any time");
}

/// What a person can do about it.
std::string reason_text(const Compacted& compacted) {
  switch (compacted.no_gain) {
    case NoGain::fixed:
      return "the file of a fixed or raw disk always has its full size; --sparse gives its zeros "
             "back to the host's file system";
    case NoGain::zeros_hide_parent:
      return fmt::format(
          "{} blocks of zeros must stay, as they hide data of the parent; merge "
          "the child first",
          compacted.kept_zero_blocks);
    case NoGain::parent_unknown:
      return fmt::format(
          "{} blocks may be given up if the parent holds zeros there, but it was "
          "not opened; --parent-root DIR or --parent FILE names it",
          compacted.unknown_blocks);
    case NoGain::all_in_use:
    case NoGain::none: break;
  }
  if (compacted.stored_blocks == 0) return "the image stores no block";
  return "every stored block holds data; run fstrim in the guest, or fill its free space with "
         "zeros, and compact again";
}

std::string Compact::sentence(const Compacted& compacted) const {
  const std::string path = escaped(text_of(options_.path));
  if (compacted.no_gain != NoGain::none) {
    return fmt::format("{}: nothing to gain: {}", path, reason_text(compacted));
  }
  auto text =
      fmt::format("compacted {}: {} -> {}; {} blocks of zeros given up, {} blocks moved", path,
                  short_size(compacted.old_file_size), short_size(compacted.new_file_size),
                  compacted.zero_blocks, compacted.moved_blocks);
  if (options_.punch) {
    text +=
        fmt::format(", {} of zeros given back to the host", short_size(compacted.punched_bytes));
  }
  return text;
}

void Compact::print_estimate(const Compacted& compacted) const {
  if (compacted.no_gain != NoGain::none) return print_result(output_, sentence(compacted));
  print_result(output_,
               fmt::format("{}: compact would give {} back: {} -> {}\n"
                           "  blocks of zeros      {}  ({} of {} blocks)\n"
                           "  holes in the file    {}\n"
                           "  room at its end      {}\n"
                           "  blocks to move       {}",
                           escaped(text_of(options_.path)), short_size(compacted.reclaimed_bytes),
                           short_size(compacted.old_file_size), short_size(compacted.new_file_size),
                           short_size(compacted.zero_block_bytes), compacted.zero_blocks,
                           compacted.stored_blocks, short_size(compacted.unused_bytes),
                           short_size(compacted.tail_bytes), compacted.moved_blocks));
}

void Compact::print_document(const Compacted& compacted) const {
  nlohmann::ordered_json document = {{"path", text_of(options_.path)},
                                     {"estimate", options_.estimate},
                                     {"reclaimed_bytes", compacted.reclaimed_bytes},
                                     {"moved_blocks", compacted.moved_blocks},
                                     {"old_file_size", compacted.old_file_size},
                                     {"new_file_size", compacted.new_file_size},
                                     {"old_allocated_size", compacted.old_allocated_size},
                                     {"new_allocated_size", compacted.new_allocated_size},
                                     {"stored_blocks", compacted.stored_blocks},
                                     {"zero_blocks", compacted.zero_blocks},
                                     {"zero_block_bytes", compacted.zero_block_bytes},
                                     {"unused_bytes", compacted.unused_bytes},
                                     {"tail_bytes", compacted.tail_bytes},
                                     {"kept_zero_blocks", compacted.kept_zero_blocks},
                                     {"unknown_blocks", compacted.unknown_blocks},
                                     {"punched_bytes", compacted.punched_bytes},
                                     {"no_gain", nullptr}};
  if (compacted.no_gain != NoGain::none) document["no_gain"] = name(compacted.no_gain);
  print_json(document);
}

Result<Exit> Compact::run() {
  TOOL_ASSIGN(const auto compacted,
              run_job<Compacted>("compact", output_, [this](Progress& progress) {
                return compact(options_, progress);
              }));
  if (output_.json) {
    print_document(compacted);
  } else if (options_.estimate) {
    print_estimate(compacted);
  } else {
    print_result(output_, sentence(compacted));
  }
  return Exit::success;
}

}  // namespace

std::unique_ptr<Command> make_compact() {
  return std::make_unique<Compact>();
}

}  // namespace vdisk::tool
