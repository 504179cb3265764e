/// check: what is wrong with an image. Nothing is changed.
#include <array>
#include <string>

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

using Reports = std::vector<LayerReport>;

class Check : public Command {
 public:
  void declare(Arguments& arguments) override;
  Result<Exit> run() override;

 private:
  void print_document(const Reports& reports) const;
  void print_report(const LayerReport& layer) const;

  CheckOptions options_;
  OutputOptions output_;
};

u64 count_of(const CheckReport& report, Severity severity) {
  u64 count = 0;
  for (const auto& finding : report.findings) count += finding.severity == severity ? 1 : 0;
  return count;
}

bool all_clean(const Reports& reports) {
  for (const auto& layer : reports) {
    if (!layer.report.clean()) return false;
  }
  return true;
}

nlohmann::ordered_json counts_document(const CheckReport& report) {
  return {{"info", count_of(report, Severity::info)},
          {"warning", count_of(report, Severity::warning)},
          {"error", count_of(report, Severity::error)},
          {"suppressed", report.suppressed_findings},
          {"blocks_total", report.blocks_total},
          {"blocks_allocated", report.blocks_allocated},
          {"bytes_reclaimable", report.bytes_reclaimable}};
}

nlohmann::ordered_json report_document(const LayerReport& layer) {
  auto findings = nlohmann::ordered_json::array();
  for (const auto& finding : layer.report.findings) {
    findings.push_back({{"id", finding.id},
                        {"severity", name(finding.severity)},
                        {"offset", finding.offset},
                        {"message", finding.message},
                        {"repair", finding.repair}});
  }
  return {{"path", text_of(layer.path)},
          {"clean", layer.report.clean()},
          {"findings", findings},
          {"counts", counts_document(layer.report)}};
}

void Check::declare(Arguments& arguments) {
  arguments.positional("PATH", options_.path, "the image");
  arguments.flag("--chain", options_.chain, "check the parents too");
  declare_output(arguments, output_, Takes::long_operation);
  declare_open(arguments, options_.open);
  arguments.example("check disk.vhdx", "exit status 0: nothing worse than a remark, 1: problems");
  arguments.example("check child.vhdx --chain --json", "every finding of every layer");
}

void Check::print_document(const Reports& reports) const {
  auto document = report_document(reports.front());
  if (options_.chain) {
    document["clean"] = all_clean(reports);
    document["chain"] = nlohmann::ordered_json::array();
    for (const auto& layer : reports) document["chain"].push_back(report_document(layer));
  }
  print_json(document);
}

void Check::print_report(const LayerReport& layer) const {
  const auto& report = layer.report;
  for (const auto& finding : report.findings) {
    print_line(fmt::format("{} {}: {}", name(finding.severity), escaped(finding.id),
                           escaped(finding.message)));
    if (!finding.repair.empty())
      print_line(fmt::format("  repair would: {}", escaped(finding.repair)));
  }
  if (report.suppressed_findings > 0)
    print_line(fmt::format("and {} more findings", report.suppressed_findings));
  auto sentence = fmt::format("{}: {}", escaped(text_of(layer.path)),
                              report.clean() ? "clean" : "problems found");
  if (report.blocks_total > 0) {
    sentence +=
        fmt::format(", {} of {} blocks allocated", report.blocks_allocated, report.blocks_total);
  }
  if (report.bytes_reclaimable > 0)
    sentence += fmt::format(", {} reclaimable", short_size(report.bytes_reclaimable));
  print_line(sentence);
}

Result<Exit> Check::run() {
  TOOL_ASSIGN(const auto reports,
              run_job<Reports>(
                  "check", output_,
                  [this](Progress& progress) { return check(options_, progress); }, Unit::steps));
  if (reports.empty()) return fail(Errc::internal, "check gave no report");
  if (output_.json) {
    print_document(reports);
  } else if (!output_.quiet) {
    for (const auto& layer : reports) print_report(layer);
  }
  return all_clean(reports) ? Exit::success : Exit::answer_no;
}

}  // namespace

std::unique_ptr<Command> make_check() {
  return std::make_unique<Check>();
}

}  // namespace vdisk::tool
