/// salvage: what can be read of a damaged image, in a new one, and what cannot.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "command.h"
#include "commands/commands.h"
#include "findings.h"
#include "images.h"
#include "options.h"
#include "raw_target.h"
#include "run_job.h"
#include "side_output.h"
#include "size.h"

namespace vdisk::tool {
namespace {

/// Lost ranges that a person is shown; --json and --map tell all.
constexpr std::size_t most_lines = 20;

class Salvage : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  [[nodiscard]] nlohmann::ordered_json document(const Salvaged& salvaged) const;
  void print_salvaged(const Salvaged& salvaged) const;
  Result<std::optional<SideOutput>> prepare_map() const;

  SalvageOptions options_;
  OutputOptions output_;
  std::optional<std::filesystem::path> map_;
};

void Salvage::declare(Arguments& arguments) {
  arguments.positional("SRC", options_.source, "the damaged image; it is not changed");
  arguments.positional("DST", options_.target.path,
                       "the new image; .vhd, .vhdx or .raw / .img decide the format");
  arguments.path("--map", map_, "write which ranges of the disk are lost into this new file");
  arguments.group("When the image does not say it any more");
  arguments.size("--disk-size", options_.size, "size of the disk");
  arguments.size("--source-block-size", options_.block_size, "size of the image's blocks");
  arguments.group("The new image");
  declare_target(arguments, options_.target);
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_option = "--source-format", .format_of = "the source"});
  arguments.example("salvage broken.vhdx disk.vhdx",
                    "exit status 0: everything could be read, 1: something is lost");
  arguments.example("salvage broken.vhd disk.raw --json --map lost.json",
                    "every lost range of the disk");
}

nlohmann::ordered_json Salvage::document(const Salvaged& salvaged) const {
  auto lost = nlohmann::ordered_json::array();
  for (const LostRange& range : salvaged.lost) {
    lost.push_back({{"start", range.offset}, {"length", range.length}, {"reason", range.reason}});
  }
  auto assumptions = nlohmann::ordered_json::array();
  for (const Warning& assumption : salvaged.assumptions) {
    assumptions.push_back(
        {{"id", assumption.id}, {"offset", assumption.offset}, {"message", assumption.message}});
  }
  return {{"source", text_of(options_.source)},
          {"path", text_of(salvaged.created.path)},
          {"virtual_size", salvaged.created.virtual_size},
          {"complete", salvaged.lost_bytes == 0},
          {"lost_bytes", salvaged.lost_bytes},
          {"lost", lost},
          {"suppressed_ranges", salvaged.suppressed_ranges},
          {"assumptions", assumptions},
          {"findings", findings_document(salvaged.found)}};
}

void Salvage::print_salvaged(const Salvaged& salvaged) const {
  for (const Warning& assumption : salvaged.assumptions) {
    print_line(fmt::format("assumed {}: {}", escaped(assumption.id), escaped(assumption.message)));
  }
  for (std::size_t n = 0; n < std::min(salvaged.lost.size(), most_lines); ++n) {
    const LostRange& range = salvaged.lost[n];
    print_line(
        fmt::format("lost {:#x}+{:#x}: {}", range.offset, range.length, escaped(range.reason)));
  }
  if (salvaged.lost.size() > most_lines) {
    print_line(fmt::format("and {} more ranges; --json or --map shows all",
                           salvaged.lost.size() - most_lines));
  }
  print_line(fmt::format(
      "{}: {} of {} read{}", escaped(text_of(salvaged.created.path)),
      short_size(salvaged.created.virtual_size - salvaged.lost_bytes),
      short_size(salvaged.created.virtual_size),
      salvaged.lost_bytes == 0 ? "" : fmt::format(", {} lost", short_size(salvaged.lost_bytes))));
}

/// What is wrong with the map's name must not show when hours of copying are over.
Result<std::optional<SideOutput>> Salvage::prepare_map() const {
  if (!map_) return std::nullopt;
  SideOutputRequest request{.path = *map_,
                            .replace = options_.target.replace,
                            .others = {options_.source, options_.target.path}};
  if (options_.open.parent) request.others.push_back(*options_.open.parent);
  return SideOutput::prepare(request);
}

Result<Exit> Salvage::run() {
  TOOL_TRY(check_raw_target(options_.target, format_for_extension(options_.target.path)));
  TOOL_ASSIGN(auto map, prepare_map());
  TOOL_ASSIGN(const auto salvaged, run_job<Salvaged>("salvage", output_, [this](Progress& p) {
                return salvage(options_, p);
              }));
  if (map) {
    TOOL_TRY(
        map->save([&](const SideOutput::Put& put) { put(to_text(document(salvaged)) + "\n"); }));
  }
  if (output_.json) {
    print_json(document(salvaged));
  } else if (!output_.quiet) {
    print_salvaged(salvaged);
  }
  return salvaged.lost_bytes == 0 ? Exit::success : Exit::answer_no;
}

}  // namespace

std::unique_ptr<Command> make_salvage() {
  return std::make_unique<Salvage>();
}

}  // namespace vdisk::tool
