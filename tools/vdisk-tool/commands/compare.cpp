/// compare: whether two disks have the same content.
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

class Compare : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void print_document(const Comparison& comparison) const;
  void print_sentence(const Comparison& comparison) const;

  CompareOptions options_;
  OutputOptions output_;
};

void Compare::declare(Arguments& arguments) {
  arguments.positional("A", options_.a, "an image of any format");
  arguments.positional("B", options_.b, "another one");
  arguments.flag("--strict", options_.strict_size,
                 "different sizes are a difference even if the rest reads as zeros");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open,
               {.format_of = "both images", .explicit_parent = false, .only_reads = true});
  arguments.example("compare disk.raw disk.vhdx", "exit status 0: same content, 1: different");
  arguments.example("compare a.vhdx b.vhdx --json", "all ranges that differ");
}

void Compare::print_document(const Comparison& comparison) const {
  auto ranges = nlohmann::ordered_json::array();
  for (const auto& range : comparison.ranges)
    ranges.push_back({{"offset", range.offset}, {"length", range.length}});
  nlohmann::ordered_json first = nullptr;
  if (comparison.first_difference) first = *comparison.first_difference;
  print_json({{"identical", comparison.identical},
              {"first_difference", first},
              {"ranges", ranges},
              {"size_a", comparison.size_a},
              {"size_b", comparison.size_b}});
}

void Compare::print_sentence(const Comparison& comparison) const {
  std::string sentence = "identical";
  if (!comparison.identical) {
    sentence = comparison.first_difference ? fmt::format("different: first at offset {0} ({0:#x})",
                                                         *comparison.first_difference)
                                           : "different";
  }
  if (comparison.size_a != comparison.size_b) {
    sentence += fmt::format("; sizes {} and {} bytes", comparison.size_a, comparison.size_b);
    if (comparison.identical) sentence += ", the rest reads as zeros";
  }
  print_result(output_, sentence);
}

Result<Exit> Compare::run() {
  options_.all_ranges = output_.json;
  TOOL_ASSIGN(const auto comparison,
              run_job<Comparison>("compare", output_, [this](Progress& progress) {
                return compare(options_, progress);
              }));
  if (output_.json) {
    print_document(comparison);
  } else {
    print_sentence(comparison);
  }
  return comparison.identical ? Exit::success : Exit::answer_no;
}

}  // namespace

std::unique_ptr<Command> make_compare() {
  return std::make_unique<Compare>();
}

}  // namespace vdisk::tool
