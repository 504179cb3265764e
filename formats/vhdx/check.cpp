#include "formats/vhdx/check.h"

#include <memory>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_check.h"
#include "formats/vhdx/layout.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/replayed_file.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Errors that mean that the file could not be read, not that it is broken.
bool is_failure_to_read(const Error& error) {
  const ErrorKind group = kind(error.code);
  return group == ErrorKind::io || group == ErrorKind::no_memory || group == ErrorKind::access;
}

struct Repair {
  std::string_view rule;
  std::string_view text;
};
constexpr Repair repairs[]{
    {"X4", "write the current header into both slots"},
    {"X16", "write the valid region table over the damaged one"},
    {"X17", "write the first region table over the second"},
    {"X45", "none needed; the item is ignored"},
};

std::string repair_of(std::string_view rule) {
  for (const Repair& repair : repairs) {
    if (repair.rule == rule) return std::string(repair.text);
  }
  return {};
}

/// A rule that ends the check becomes a finding; a failure to read stays an error.
Status add_error(const Error& error, CheckReport& report) {
  if (is_failure_to_read(error)) return std::unexpected(error);
  report.add(finding_of(error));
  return {};
}

void add_layout_findings(const Layout& layout, CheckReport& report) {
  for (const Warning& warning : layout.warnings) {
    const bool is_error = warning.id == rule_name(49);  // nobody can find the parent
    report.add({.id = warning.id,
                .severity = is_error ? Severity::error : Severity::warning,
                .message = warning.message,
                .repair = repair_of(warning.id)});
  }
  if (layout.headers.identical) {
    report.add({.id = rule_name(5),
                .offset = layout.headers.current_offset(),
                .message = "both headers are identical; one of them should be newer"});
  }
  for (const Region& region : layout.regions.regions) {
    const bool known =
        region.id == layout.regions.bat.id || region.id == layout.regions.metadata.id;
    if (!known || region.required) continue;
    report.add(
        {.id = rule_name(19),
         .offset = region.offset,
         .message = fmt::format("region {} is not marked as required", to_string(region.id))});
  }
  if (!is_aligned(layout.file_size, region_alignment)) {
    report.add(
        {.id = "file_size",
         .offset = round_down(layout.file_size, region_alignment),
         .message = fmt::format("file: {} bytes, not a multiple of 1 MiB", layout.file_size)});
  }
}

Status check_view(const File& view, CheckReport& report) {
  const auto layout = read_layout(view, {.ignore_dirty_log = true});
  if (!layout) return add_error(layout.error(), report);
  add_layout_findings(*layout, report);
  return check_bat(view, *layout, report);
}

void add_dirty_log(const RecoveryPlan& plan, CheckReport& report) {
  const u64 place = plan.headers.current.log_offset;
  report.add({.id = "X11-dirty",
              .severity = Severity::warning,
              .offset = place,
              .message = fmt::format("log at {:#x}: {} entries to replay", place,
                                     plan.sequence.entries.size()),
              .repair = "replay the log"});
}

}  // namespace

Status check(const File& file, CheckReport& report) {
  const auto dirty = needs_recovery(file);
  if (!dirty) return add_error(dirty.error(), report);
  if (!*dirty) return check_view(file, report);
  const auto plan = plan_recovery(file);
  if (!plan) return add_error(plan.error(), report);
  add_dirty_log(*plan, report);
  VDISK_ASSIGN(const auto view,
               ReplayedFile::build(file, plan->headers.current, plan->sequence, plan->final_size));
  return check_view(*view, report);
}

}  // namespace vdisk::vhdx
