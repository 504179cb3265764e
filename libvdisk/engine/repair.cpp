#include "engine/repair.h"

#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/check_chain.h"
#include "engine/layer.h"
#include "engine/observed_file.h"
#include "engine/split_image.h"
#include "engine/undo_file.h"

namespace vdisk {

namespace {

/// A repair that has limits goes on where it stopped; more rounds than this never helped.
constexpr int max_rounds = 4;

Status check_file(const Format& format, const File& file, std::string_view phase,
                  CheckReport& report, Progress& progress) {
  progress.phase(phase);
  const ObservedFile observed(file, progress);
  return format.check(observed, report);
}

/// Until there is nothing more to do.
Status repair_plan(const Format& format, PlannedRepair& repair, Progress& progress) {
  for (int round = 0; round < max_rounds; ++round) {
    const std::size_t done = repair.plan->changes().size();
    VDISK_TRY(progress.advance(0));
    VDISK_TRY(format.repair(*repair.plan, repair.report));
    if (repair.plan->changes().size() == done) return {};
  }
  return {};
}

Repaired result_of(PlannedRepair planned) {
  Repaired result{.before = std::move(planned.before),
                  .after = std::move(planned.after),
                  .actions = std::move(planned.report.actions),
                  .suppressed_actions = planned.report.suppressed_actions};
  for (const PlannedRange& range : planned.plan->changed_ranges()) {
    result.changed_bytes += range.length;
  }
  result.unreadable_bytes_before = planned.readable.before.unreadable_bytes;
  result.unreadable_bytes_after = planned.readable.after.unreadable_bytes;
  result.opens_before = planned.readable.before.virtual_size != 0;
  result.opens_after = planned.readable.after.virtual_size != 0;
  return result;
}

OpenOptions open_options(const OpenOptions& given, bool writes) {
  OpenOptions open = given;
  open.access = writes ? Access::read_write : Access::read_only;
  open.read_log = ReadLog::automatic;
  return open;
}

Result<Repaired> repair_file(const RepairOptions& options, const std::shared_ptr<File>& file,
                             const Format& format, Progress& progress) {
  VDISK_ASSIGN(auto planned, plan_repair(file, format, progress));
  const auto plan = planned.plan;
  Repaired result = result_of(std::move(planned));
  if (!options.apply || plan->empty()) return result;
  if (options.undo) {
    progress.phase("keep");
    VDISK_TRY(write_undo_file(*file_system_of(options.open), *options.undo,
                              {.plan = *plan, .format = format.name}));
  }
  VDISK_TRY(progress.point_of_no_return());
  progress.phase("repair");
  VDISK_TRY(apply(*plan, *file));
  result.applied = true;
  return result;
}

}  // namespace

Result<PlannedRepair> plan_repair(std::shared_ptr<File> file, const Format& format,
                                  Progress& progress) {
  PlannedRepair repair;
  VDISK_TRY(check_file(format, *file, "check", repair.before, progress));
  VDISK_ASSIGN(repair.plan, PlannedFile::create(file));
  progress.phase("plan");
  VDISK_TRY(repair_plan(format, repair, progress));
  if (repair.plan->empty()) {
    repair.after = repair.before;
  } else {
    VDISK_TRY(check_file(format, *repair.plan, "check again", repair.after, progress));
  }
  progress.phase("verify");
  VDISK_ASSIGN(repair.readable, compare_readability(format, file, repair.plan, progress));
  return repair;
}

Result<Repaired> repair(const RepairOptions& options, Progress& progress) try {
  const OpenOptions open = open_options(options.open, options.apply);
  const auto file_system = file_system_of(open);
  VDISK_ASSIGN(auto file, open_leaf_file(*file_system, options.path, open));
  VDISK_TRY(refuse_part(*file_system, options.path));
  VDISK_TRY(refuse_guarded(options.path));
  auto format = choose_format(*file, options.path, open.format);
  if (!format) return std::unexpected(at_path(options.path, std::move(format).error()));
  auto repaired = repair_file(options, file, **format, progress);
  if (!repaired) return std::unexpected(at_path(options.path, std::move(repaired).error()));
  add_companions(options.path, *file, *file_system, repaired->before);
  return repaired;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
