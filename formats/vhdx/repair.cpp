// First the headers and the log, then what is stored twice, then the BAT through the log. Every
// step leaves a file that the next run can start from.
#include "formats/vhdx/repair.h"

#include <vector>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_repair.h"
#include "formats/vhdx/remedies.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/survey.h"

namespace vdisk::vhdx {

namespace {

Result<Survey> survey_all(const File& file) {
  VDISK_ASSIGN(Survey survey, survey_headers(file));
  if (survey.headers_known) VDISK_TRY(survey_tables(file, survey));
  return survey;
}

void note(const Remedies& remedies, std::string_view rule, u64 offset, RepairReport& report) {
  report.add({std::string(rule), offset, remedies.text_of(rule)});
}

/// Two updates: both slots are valid, and say the same.
Status update_both_headers(File& file, HeaderPair headers, Header changed) {
  changed.file_write_guid = random_guid();
  VDISK_TRY(update_header(file, headers, changed));
  return update_header(file, headers, changed);
}

/// Of two headers with one sequence number the first becomes the current one.
Status settle_headers(File& file, RepairReport& report) {
  VDISK_ASSIGN(const Survey survey, survey_headers(file));
  if (!survey.headers_known || !survey.layout.headers.ambiguous) return {};
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(file, survey));
  if (!remedies.headers) return {};
  note(remedies, "X5", survey.layout.headers.current_offset(), report);
  VDISK_ASSIGN(const HeaderPair headers, read_headers(file));
  return update_both_headers(file, headers, headers.current);
}

/// Replays the log or, where it holds nothing that could be, clears it. False: neither can be.
Result<bool> settle_log(File& file, RepairReport& report) {
  VDISK_ASSIGN(Survey survey, survey_headers(file));
  if (!survey.log_usable) return false;
  const Header& header = survey.layout.headers.current;
  if (header.log_guid.is_zero()) return true;
  const auto plan = plan_recovery(file);
  if (plan) {
    auto recovered = recover(file);
    if (!recovered && is_failure_to_read(recovered.error()))
      return std::unexpected(recovered.error());
    if (recovered) report.add({"X11-dirty", header.log_offset, "replay the log"});
    return recovered.has_value();
  }
  if (is_failure_to_read(plan.error())) return std::unexpected(plan.error());
  VDISK_TRY(survey.objections.raise(std::unexpected(plan.error())));
  VDISK_TRY(survey_tables(file, survey));
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(file, survey));
  if (!remedies.clear_log) return false;
  note(remedies, "X11", header.log_offset, report);
  VDISK_ASSIGN(const HeaderPair headers, read_headers(file));
  Header cleared = headers.current;
  cleared.log_guid = {};
  VDISK_TRY(update_both_headers(file, headers, cleared));
  return true;
}

Status write_signature(File& file) {
  VDISK_TRY(file.write_at(file_identifier_offset, as_bytes(file_identifier_signature)));
  return file.flush();
}

/// The other copy is valid at every instant.
Status copy_region_table(File& file, int sound_copy) {
  std::vector<std::byte> copy(region_table_size);
  VDISK_TRY(file.read_at(region_table_offsets[sound_copy], copy));
  VDISK_TRY(file.write_at(region_table_offsets[1 - sound_copy], copy));
  return file.flush();
}

void note_tables(const Survey& survey, const Remedies& remedies, RepairReport& report) {
  const Layout& layout = survey.layout;
  if (remedies.signature) note(remedies, "X2", file_identifier_offset, report);
  if (remedies.headers) {
    note(remedies, "X4", header_slot_offsets[1 - layout.headers.current_slot], report);
  }
  if (remedies.region_copy) {
    note(remedies, layout.regions.other_valid ? "X17" : "X16",
         region_table_offsets[1 - *remedies.region_copy], report);
  }
}

/// The headers come first: whoever reads the file must learn that it changes.
Status repair_tables(File& file, const Survey& survey, const Remedies& remedies) {
  const bool changes = remedies.signature || remedies.headers || remedies.region_copy;
  if (!changes) return {};
  const HeaderPair& headers = survey.layout.headers;
  VDISK_TRY(update_both_headers(file, headers, headers.current));
  if (remedies.signature) VDISK_TRY(write_signature(file));
  return remedies.region_copy ? copy_region_table(file, *remedies.region_copy) : Status();
}

}  // namespace

Result<bool> repair_structures(File& file, RepairReport& report) {
  VDISK_TRY(settle_headers(file, report));
  VDISK_ASSIGN(const bool clean, settle_log(file, report));
  if (!clean) return false;
  VDISK_ASSIGN(const Survey survey, survey_all(file));
  VDISK_ASSIGN(const Remedies remedies, Remedies::plan(file, survey));
  note_tables(survey, remedies, report);
  VDISK_TRY(repair_tables(file, survey, remedies));
  return remedies.bat;
}

Status repair(File& file, RepairReport& report) {
  VDISK_ASSIGN(const bool sound, repair_structures(file, report));
  return sound ? repair_bat(file, report) : Status();
}

}  // namespace vdisk::vhdx
