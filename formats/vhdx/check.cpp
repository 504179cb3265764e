#include "formats/vhdx/check.h"

#include <memory>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_check.h"
#include "formats/vhdx/remedies.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/replayed_file.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/survey.h"

namespace vdisk::vhdx {

namespace {

void add_objections(const Survey& survey, const Remedies& remedies, CheckReport& report) {
  for (const Error& error : survey.objections.errors()) {
    Finding finding = finding_of(error);
    finding.repair = remedies.text_of(finding.id);
    report.add(std::move(finding));
  }
}

void add_warnings(const Layout& layout, const Remedies& remedies, CheckReport& report) {
  for (const Warning& warning : layout.warnings) {
    const bool is_error = warning.id == rule_name(49);  // nobody can find the parent
    report.add({.id = warning.id,
                .severity = is_error ? Severity::error : Severity::warning,
                .offset = warning.offset,
                .message = warning.message,
                .repair = remedies.text_of(warning.id)});
  }
}

void add_header_remarks(const Survey& survey, CheckReport& report) {
  const HeaderPair& headers = survey.layout.headers;
  const u64 place = headers.current_offset();
  if (headers.identical) {
    report.add({.id = rule_name(5),
                .offset = place,
                .message = "both headers are identical; one of them should be newer"});
  }
  if (headers.reserved_used) {
    report.add({.id = rule_name(10),
                .offset = place,
                .message = fmt::format("header at {:#x}: reserved bytes are not zero", place)});
  }
}

void add_region_remarks(const Layout& layout, CheckReport& report) {
  for (const Region& region : layout.regions.regions) {
    if (!is_known_region(region.id)) {
      report.add({.id = rule_name(25),
                  .offset = region.offset,
                  .message = fmt::format("region {} at {:#x} is not known; its {} bytes are kept",
                                         to_string(region.id), region.offset, region.length)});
    } else if (!region.required) {
      report.add(
          {.id = rule_name(19),
           .offset = region.offset,
           .message = fmt::format("region {} is not marked as required", to_string(region.id))});
    }
  }
}

void add_size_remark(const Layout& layout, CheckReport& report) {
  if (is_aligned(layout.file_size, region_alignment)) return;
  report.add({.id = "file_size",
              .offset = round_down(layout.file_size, region_alignment),
              .message = fmt::format("file: {} bytes, not a multiple of 1 MiB", layout.file_size)});
}

/// A dirty log, and the file as it would leave it.
struct Replay {
  std::unique_ptr<ReplayedFile> view;  ///< none: clean, or it cannot be replayed, which is told
  u64 offset = 0;
  u64 entry_count = 0;
};

void add_dirty_log(const Replay& replay, const Remedies& remedies, CheckReport& report) {
  report.add({.id = "X11-dirty",
              .severity = Severity::warning,
              .offset = replay.offset,
              .message = fmt::format("log at {:#x}: {} entries to replay", replay.offset,
                                     replay.entry_count),
              .repair = remedies.text_of("X11-dirty")});
}

Result<Replay> replay_in_memory(const File& file, Survey& survey) {
  Replay replay;
  const bool dirty = survey.log_usable && !survey.layout.headers.current.log_guid.is_zero();
  if (!dirty) return replay;
  auto plan = plan_recovery(file);
  if (!plan) {
    if (is_failure_to_read(plan.error())) return std::unexpected(std::move(plan).error());
    VDISK_TRY(survey.objections.raise(std::unexpected(std::move(plan).error())));
    return replay;
  }
  VDISK_ASSIGN(replay.view,
               ReplayedFile::build(file, plan->headers.current, plan->sequence, plan->final_size));
  replay.offset = plan->headers.current.log_offset;
  replay.entry_count = plan->sequence.entries.size();
  survey.replayed = true;
  return replay;
}

}  // namespace

Status check(const File& file, CheckReport& report) {
  VDISK_ASSIGN(Survey survey, survey_headers(file));
  const bool of_other_version =
      survey.layout.headers.current.version != format_version && !survey.headers_known;
  VDISK_ASSIGN(const Replay replay, replay_in_memory(file, survey));
  const File& content = replay.view ? static_cast<const File&>(*replay.view) : file;
  if (!of_other_version) VDISK_TRY(survey_tables(content, survey));
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(content, survey));
  if (survey.replayed) add_dirty_log(replay, remedies, report);
  add_objections(survey, remedies, report);
  if (survey.layout.file_size < header_section_size || of_other_version) return {};
  add_warnings(survey.layout, remedies, report);
  if (survey.headers_known) add_header_remarks(survey, report);
  add_region_remarks(survey.layout, report);
  add_size_remark(survey.layout, report);
  return survey.map_known ? check_bat(content, survey.layout, remedies.bat, report) : Status();
}

}  // namespace vdisk::vhdx
