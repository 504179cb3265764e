/// check, repair and salvage as jobs, with what they found one by one.
#include <algorithm>

#include "capi/operation.h"
#include "capi/options.h"
#include "capi/status.h"
#include "vdisk/operations.h"

namespace vdisk::capi {

namespace {

uint32_t number_of(Severity severity) {
  switch (severity) {
    case Severity::info: return VDISK_SEVERITY_INFO;
    case Severity::warning: return VDISK_SEVERITY_WARNING;
    case Severity::error: break;
  }
  return VDISK_SEVERITY_ERROR;
}

void add_findings(const CheckReport& report, uint32_t kind, const std::filesystem::path& path,
                  JobResult& result) {
  for (const Finding& finding : report.findings) {
    result.notes.push_back({.kind = kind,
                            .severity = number_of(finding.severity),
                            .offset = finding.offset,
                            .id = finding.id,
                            .message = finding.message,
                            .repair = finding.repair,
                            .path = path.native()});
  }
}

u64 count_of(const CheckReport& report) {
  return report.findings.size() + report.suppressed_findings;
}

JobResult output_of(const std::vector<LayerReport>& layers) {
  auto result = of_type(VDISK_OUTPUT_CHECK);
  auto& sum = result.output.value.check;
  sum.clean = 1;
  for (const auto& [path, report] : layers) {
    sum.findings += count_of(report);
    sum.blocks_total += report.blocks_total;
    sum.blocks_allocated += report.blocks_allocated;
    sum.bytes_reclaimable += report.bytes_reclaimable;
    if (!report.clean()) sum.clean = 0;
    add_findings(report, VDISK_NOTE_FINDING, path, result);
  }
  return result;
}

JobResult output_of(const Repaired& repaired) {
  auto result = of_type(VDISK_OUTPUT_REPAIR);
  auto& value = result.output.value.repair;
  value.findings_before = count_of(repaired.before);
  value.findings_after = count_of(repaired.after);
  value.actions = repaired.actions.size() + repaired.suppressed_actions;
  value.changed_bytes = repaired.changed_bytes;
  value.applied = repaired.applied ? 1 : 0;
  value.opens_before = repaired.opens_before ? 1 : 0;
  value.opens_after = repaired.opens_after ? 1 : 0;
  add_findings(repaired.before, VDISK_NOTE_FINDING, {}, result);
  add_findings(repaired.after, VDISK_NOTE_REMAINING, {}, result);
  for (const RepairAction& action : repaired.actions) {
    result.notes.push_back({.kind = VDISK_NOTE_ACTION,
                            .offset = action.offset,
                            .id = action.id,
                            .message = action.message});
  }
  return result;
}

JobResult output_of(const Salvaged& salvaged) {
  auto result = of_type(VDISK_OUTPUT_SALVAGE);
  auto& value = result.output.value.salvage;
  std::ranges::copy(salvaged.created.id.bytes, value.id);
  value.virtual_size = salvaged.created.virtual_size;
  value.lost_bytes = salvaged.lost_bytes;
  value.lost_ranges = salvaged.lost.size() + salvaged.suppressed_ranges;
  value.assumptions = salvaged.assumptions.size();
  for (const LostRange& lost : salvaged.lost) {
    result.ranges.push_back({lost.offset, lost.length, 1, 0});
  }
  result.paths.push_back({VDISK_PATH_RESULT, salvaged.created.path});
  add_findings(salvaged.found, VDISK_NOTE_FINDING, {}, result);
  for (const Warning& assumption : salvaged.assumptions) {
    result.notes.push_back({.kind = VDISK_NOTE_ASSUMPTION,
                            .offset = assumption.offset,
                            .id = assumption.id,
                            .message = assumption.message});
  }
  return result;
}

JobResult output_of(const Undone& undone) {
  auto result = of_type(VDISK_OUTPUT_UNDONE);
  result.output.value.undone = {undone.restored_bytes, undone.old_size, undone.new_size,
                                undone.applied ? 1U : 0U};
  return result;
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_check(const char* path, uint32_t chain, const vdisk_open_options* open,
                         vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CheckOptions options;
    options.path = inputs.path(path, "path");
    options.chain = chain != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::check, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_repair(const char* path, uint32_t apply, const char* undo,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::RepairOptions options;
    options.path = inputs.path(path, "path");
    options.apply = apply != 0;
    options.undo = capi::optional_path(undo);
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::repair, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_salvage(const char* source, const vdisk_target* target, uint64_t disk_size,
                           uint32_t block_size, const vdisk_open_options* open, vdisk_job** job,
                           vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::SalvageOptions options;
    options.source = inputs.path(source, "source");
    options.target = inputs.keep(capi::target(target));
    if (disk_size != 0) options.size = disk_size;
    if (block_size != 0) options.block_size = block_size;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::salvage, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_undo_repair(const char* image, const char* undo, uint32_t apply,
                               const vdisk_open_options* open, vdisk_job** job,
                               vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::UndoOptions options;
    options.image = inputs.path(image, "image");
    options.undo = inputs.path(undo, "undo");
    options.apply = apply != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::undo_repair, capi::output_of, std::move(options), job);
  });
}
