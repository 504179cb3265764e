/// Findings of a check, and what was or would be done about them.
#include "findings.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "images.h"
#include "output.h"
#include "size.h"
#include "terminal.h"

namespace vdisk::tool {

namespace {

u64 count_of(const CheckReport& report, Severity severity) {
  u64 count = 0;
  for (const auto& finding : report.findings) count += finding.severity == severity ? 1 : 0;
  return count;
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

std::string severity_text(Severity severity) {
  switch (severity) {
    case Severity::info: break;
    case Severity::warning: return coloured(Colour::yellow, name(severity), Stream::output);
    case Severity::error: return coloured(Colour::red, name(severity), Stream::output);
  }
  return std::string(name(severity));
}

void print_findings(const CheckReport& report) {
  for (const auto& finding : report.findings) {
    print_line(fmt::format("{} {}: {}", severity_text(finding.severity), escaped(finding.id),
                           escaped(finding.message)));
    if (!finding.repair.empty())
      print_line(fmt::format("  repair would: {}", escaped(finding.repair)));
  }
  if (report.suppressed_findings > 0)
    print_line(fmt::format("and {} more findings", report.suppressed_findings));
}

void print_actions(const Repaired& repaired) {
  for (const auto& action : repaired.actions) {
    print_line(fmt::format("repaired {} at {:#x}: {}", escaped(action.id), action.offset,
                           escaped(action.message)));
  }
  if (repaired.suppressed_actions > 0)
    print_line(fmt::format("and {} more", repaired.suppressed_actions));
}

/// What cannot be read, and what becomes of it.
void print_unreadable(const Repaired& repaired) {
  const u64 before = repaired.unreadable_bytes_before;
  const u64 after = repaired.unreadable_bytes_after;
  if (before > after) {
    print_line(
        fmt::format("{} of the disk {} be read, and with the repair read as zeros or as the "
                    "parent",
                    short_size(before - after), repaired.applied ? "could not" : "cannot"));
  }
  if (after != 0) {
    print_line(fmt::format("{} of the disk cannot be read, repaired or not", short_size(after)));
  }
}

}  // namespace

nlohmann::ordered_json findings_document(const CheckReport& report) {
  auto findings = nlohmann::ordered_json::array();
  for (const auto& finding : report.findings) {
    findings.push_back({{"id", finding.id},
                        {"severity", name(finding.severity)},
                        {"offset", finding.offset},
                        {"message", finding.message},
                        {"repair", finding.repair}});
  }
  return findings;
}

nlohmann::ordered_json check_document(const LayerReport& layer) {
  return {{"path", text_of(layer.path)},
          {"clean", layer.report.clean()},
          {"findings", findings_document(layer.report)},
          {"counts", counts_document(layer.report)}};
}

void print_check(const LayerReport& layer) {
  const auto& report = layer.report;
  print_findings(report);
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

nlohmann::ordered_json repair_document(const RepairOptions& options, const Repaired& repaired) {
  auto actions = nlohmann::ordered_json::array();
  for (const auto& action : repaired.actions) {
    actions.push_back({{"id", action.id}, {"offset", action.offset}, {"action", action.message}});
  }
  nlohmann::ordered_json document = {{"path", text_of(options.path)},
                                     {"repaired", repaired.applied},
                                     {"clean_before", repaired.before.clean()},
                                     {"clean_after", repaired.after.clean()},
                                     {"opens_before", repaired.opens_before},
                                     {"opens_after", repaired.opens_after},
                                     {"unreadable_bytes_before", repaired.unreadable_bytes_before},
                                     {"unreadable_bytes_after", repaired.unreadable_bytes_after},
                                     {"changed_bytes", repaired.changed_bytes},
                                     {"actions", actions},
                                     {"suppressed_actions", repaired.suppressed_actions},
                                     {"findings", findings_document(repaired.before)},
                                     {"left", findings_document(repaired.after)},
                                     {"undo", nullptr}};
  if (repaired.applied && options.undo) document["undo"] = text_of(*options.undo);
  return document;
}

void print_repair(const RepairOptions& options, const Repaired& repaired) {
  const auto path = escaped(text_of(options.path));
  if (repaired.applied) print_actions(repaired);
  print_findings(repaired.applied ? repaired.after : repaired.before);
  print_unreadable(repaired);
  if (repaired.actions.empty()) {
    print_line(fmt::format("{}: {}", path,
                           repaired.before.clean() ? "clean, nothing to repair"
                                                   : "problems found that no repair can solve"));
  } else if (!repaired.applied) {
    print_line(fmt::format("{}: nothing was changed; --yes repairs", path));
  } else {
    const auto* const result = repaired.after.clean() ? "repaired" : "repaired in part";
    print_line(fmt::format("{}: {}{}", path, result,
                           options.undo
                               ? fmt::format("; {} takes it back", escaped(text_of(*options.undo)))
                               : std::string()));
  }
}

nlohmann::ordered_json undo_document(const UndoOptions& options, const Undone& undone) {
  return {{"path", text_of(options.image)},      {"undo", text_of(options.undo)},
          {"restored", undone.applied},          {"restored_bytes", undone.restored_bytes},
          {"file_size_before", undone.new_size}, {"file_size_after", undone.old_size}};
}

void print_undo(const UndoOptions& options, const Undone& undone) {
  print_line(fmt::format("{}: {} {} as before the repair{}", escaped(text_of(options.image)),
                         short_size(undone.restored_bytes), undone.applied ? "are" : "would be",
                         undone.applied ? "" : "; --yes puts them back"));
}

}  // namespace vdisk::tool
