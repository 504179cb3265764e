#include "formats/vhdx/survey.h"

#include <algorithm>

#include "base/try.h"
#include "formats/vhdx/file_identifier.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Keeps what breaks a rule, returns what is a failure to read.
Status keep(Error error, Objections& objections) {
  if (is_failure_to_read(error)) return std::unexpected(std::move(error));
  return objections.raise(std::unexpected(std::move(error)));
}

template <class T>
Status keep_if_broken(const Result<T>& result, Objections& objections) {
  return result ? Status() : keep(result.error(), objections);
}

/// Without a usable log its place is unknown: nothing is reserved for it.
void forget_log(Layout& layout) {
  layout.headers.current.log_length = 0;
  layout.headers.current.log_offset = 0;
}

bool is_log_in_place(const Objections& objections) {
  return std::ranges::none_of(objections.errors(), [](const Error& error) {
    return rule_of(error) == rule_name(8) || rule_of(error) == rule_name(9);
  });
}

Status read_current_header(const File& file, Survey& survey) {
  const auto headers = read_headers(file);
  if (!headers) {
    forget_log(survey.layout);
    survey.layout.headers.other_valid = true;  // X3 says it all
    return keep(headers.error(), survey.objections);
  }
  survey.layout.headers = *headers;
  VDISK_ASSIGN(survey.log_usable, validate(*headers, survey.layout.file_size, survey.objections));
  survey.headers_known = headers->current.version == format_version;
  if (!is_log_in_place(survey.objections)) forget_log(survey.layout);
  return {};
}

/// A copy that breaks rules gives way to one that keeps all of them.
Status prefer_sound_copy(const File& view, Survey& survey) {
  RegionTable& table = survey.layout.regions;
  if (!table.copies_differ) return {};
  auto other = read_region_copy(view, survey.layout.headers.current, 1 - table.used_copy);
  if (!other)
    return is_failure_to_read(other.error()) ? Status(std::unexpected(other.error())) : Status();
  other->other_valid = true;
  other->copies_differ = true;
  table = *std::move(other);
  append_copy_warnings(table);
  return {};
}

}  // namespace

bool is_failure_to_read(const Error& error) {
  const ErrorKind group = kind(error.code);
  return group == ErrorKind::io || group == ErrorKind::no_memory || group == ErrorKind::access ||
         group == ErrorKind::canceled;
}

Result<Survey> survey_headers(const File& file) {
  Survey survey;
  VDISK_ASSIGN(survey.layout.file_size, file.size());
  auto creator = read_file_identifier(file);
  VDISK_TRY(keep_if_broken(creator, survey.objections));
  if (creator) survey.layout.creator = *std::move(creator);
  if (survey.layout.file_size < header_section_size) return survey;
  VDISK_TRY(read_current_header(file, survey));
  return survey;
}

Status survey_tables(const File& view, Survey& survey) {
  Layout& layout = survey.layout;
  VDISK_ASSIGN(layout.file_size, view.size());
  if (layout.file_size < header_section_size) return {};
  const std::size_t sound_until = survey.objections.errors().size();
  auto regions = read_region_table(view, layout.headers.current, survey.objections);
  if (!regions) return keep(regions.error(), survey.objections);
  layout.regions = *std::move(regions);
  const bool broken = survey.objections.errors().size() != sound_until;
  if (broken) VDISK_TRY(prefer_sound_copy(view, survey));
  survey.regions_known = layout.regions.bat.length != 0 && layout.regions.metadata.length != 0;
  if (layout.regions.metadata.length != 0) {
    VDISK_ASSIGN(layout.metadata, read_metadata(view, layout.regions.metadata, survey.objections));
  }
  collect_warnings(layout);
  survey.map_known = survey.regions_known && layout.metadata.shape_known;
  if (!survey.map_known) return {};
  layout.bat_layout = bat_layout_of(layout.metadata);
  return keep_if_broken(validate_bat_region(layout), survey.objections);
}

}  // namespace vdisk::vhdx
