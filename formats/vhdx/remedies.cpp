#include "formats/vhdx/remedies.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

using namespace std::string_view_literals;

/// Rules of the region table alone: broken in one copy, they may hold in the other.
constexpr std::array region_rules{"X18"sv, "X20"sv, "X21"sv, "X22"sv, "X23"sv, "X24"sv};

bool is_region_rule(std::string_view rule) {
  return std::ranges::find(region_rules, rule) != region_rules.end();
}

bool breaks(const Survey& survey, std::string_view rule) {
  return std::ranges::any_of(survey.objections.errors(),
                             [rule](const Error& error) { return rule_of(error) == rule; });
}

/// Both headers count, and say the same about everything that matters.
Result<bool> headers_agree(const File& view) {
  std::array<std::byte, header_size> slot{};
  VDISK_TRY(view.read_at(header_slot_offsets[0], slot));
  auto first = decode_header(slot);
  VDISK_TRY(view.read_at(header_slot_offsets[1], slot));
  const auto second = decode_header(slot);
  if (!first || !second) return false;
  first->file_write_guid = second->file_write_guid;
  return *first == *second && first->log_guid.is_zero();
}

bool has_room_for_updates(const Header& header) {
  return header.sequence_number <= std::numeric_limits<u64>::max() - min_sequence_numbers_left;
}

/// The copy that is sound when the other one differs from it: the one in use comes first.
Result<std::optional<int>> choose_region_copy(const File& view, const Survey& survey) {
  const RegionTable& table = survey.layout.regions;
  if (table.other_valid && !table.copies_differ) return std::optional<int>{};
  for (const int copy : {table.used_copy, 1 - table.used_copy}) {
    const auto read = read_region_copy(view, survey.layout.headers.current, copy);
    if (read) return std::optional(copy);
    if (is_failure_to_read(read.error())) return std::unexpected(read.error());
  }
  return std::optional<int>{};
}

/// Whether the file opens when its log is forgotten.
Result<bool> opens_without_log(const File& view) {
  const auto layout = read_layout(view, {.ignore_dirty_log = true});
  if (layout) return true;
  if (is_failure_to_read(layout.error())) return std::unexpected(layout.error());
  return false;
}

/// Whether nothing is left that would keep the file from being opened.
bool all_remedied(const Survey& survey, const Remedies& remedies) {
  return std::ranges::all_of(survey.objections.errors(), [&remedies](const Error& error) {
    return !remedies.text_of(rule_of(error)).empty();
  });
}

}  // namespace

Result<Remedies> Remedies::plan(const File& view, const Survey& survey) {
  Remedies remedies;
  const HeaderPair& headers = survey.layout.headers;
  if (headers.ambiguous) {
    VDISK_ASSIGN(remedies.headers, headers_agree(view));
    return remedies;  // everything else can be said once one of them counts
  }
  if (!survey.log_usable || !has_room_for_updates(headers.current)) return remedies;
  // Nothing may be written before the log has been replayed, and what it leaves must open.
  if (survey.replayed && !survey.objections.empty()) return remedies;
  remedies.replay = survey.replayed;
  if (breaks(survey, "X11")) {
    VDISK_ASSIGN(remedies.clear_log, opens_without_log(view));
  }
  for (const std::string_view rule : {"X11"sv, "X12"sv, "X14"sv, "X15"sv, "X55"sv}) {
    if (breaks(survey, rule) && !remedies.clear_log) return remedies;
  }
  remedies.headers = !headers.other_valid;
  VDISK_ASSIGN(remedies.region_copy, choose_region_copy(view, survey));
  remedies.signature = breaks(survey, "X2") && survey.objections.errors().size() == 1;
  remedies.bat =
      survey.map_known && headers.current.log_length != 0 && all_remedied(survey, remedies);
  return remedies;
}

std::string Remedies::text_of(std::string_view rule) const {
  if (rule == "X2" && signature) return "write the signature";
  if (rule == "X11-dirty" && replay) return "replay the log";
  if ((rule == "X4" || rule == "X5") && headers) return "write the current header into both slots";
  if (rule == "X11" && clear_log) return "clear the log; what it held is lost";
  if (!region_copy) return {};
  if (rule != "X16" && rule != "X17" && !is_region_rule(rule)) return {};
  return *region_copy == 1 ? "write the second region table over the first"
                           : "write the first region table over the second";
}

}  // namespace vdisk::vhdx
