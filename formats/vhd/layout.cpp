/// Choosing the footer, then the header below it. Each stage ends the survey when it rejects.
#include "formats/vhd/layout.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/batmap.h"
#include "formats/vhd/parent_locators.h"
#include "formats/vhd/stranded_footer.h"

namespace vdisk::vhd {

namespace {

/// How a survey is done.
struct Scope {
  VhdSize authority = VhdSize::current;
  bool everything = false;  ///< a rejection ends it only where the rest makes no sense
};

Status read_copy(const File& file, FooterCopy& copy) {
  std::array<std::byte, footer_size> bytes{};
  VDISK_TRY(file.read_at(copy.offset, std::span(bytes).first(copy.size)));
  copy.state = classify_footer(bytes);
  if (copy.state != FooterState::missing) copy.footer = decode_footer(bytes);
  return {};
}

Error no_footer(const FooterPair& pair) {
  const u64 offset = pair.end.offset;
  if (pair.end.state == FooterState::poisoned || pair.head.state == FooterState::poisoned) {
    return error_at(offset, Errc::unsupported,
                    fmt::format("footer at {:#x}: cookie `v_poison`, the image was disabled on "
                                "purpose, expected `conectix`",
                                offset));
  }
  if (pair.end.state == FooterState::bad_checksum || pair.head.state == FooterState::bad_checksum) {
    return error_at(
        offset, Errc::footer_checksum,
        fmt::format("footer at {:#x}: wrong checksum, expected a sound footer there or at 0x0",
                    offset));
  }
  return error_at(offset, Errc::footer_missing,
                  fmt::format("footer at {:#x}: no cookie, expected `conectix`", offset));
}

void report_missing_end(const FooterPair& pair, u64 used, std::string_view repair,
                        Verdict& verdict) {
  const bool damaged = pair.end.state == FooterState::bad_checksum;
  verdict.add(
      {damaged ? "V3" : "V2", Consequence::repair,
       error_at(pair.end.offset, damaged ? Errc::footer_checksum : Errc::footer_missing,
                fmt::format("footer at {:#x}: {}, the one at {:#x} is used", pair.end.offset,
                            damaged ? "wrong checksum" : "no cookie", used)),
       repair});
}

/// A guest of either kind of disk could have written the other kind's footer.
void report_two_claims(u64 stranded, Verdict& verdict) {
  verdict.add("V2", Consequence::reject,
              error_at(stranded, Errc::footer_invalid,
                       fmt::format("no footer at the end, one of a fixed disk at {:#x}, one of "
                                   "another type at 0x0; expected one of them",
                                   stranded)));
}

/// Whether two footers may be of one image: one disk before and after a change, or one that just
/// got another id, in which case nothing else differs.
bool may_be_one_image(const Footer& a, const Footer& b) {
  Footer renamed = a;
  renamed.unique_id = b.unique_id;
  return a.disk_type == b.disk_type && (a.unique_id == b.unique_id || renamed == b);
}

/// Both copies are sound and differ: an interrupted change of one image, or two images mixed up.
void report_difference(const FooterPair& pair, Verdict& verdict) {
  const Footer& end = pair.end.footer;
  const Footer& head = pair.head.footer;
  const bool same_image = may_be_one_image(end, head);
  verdict.add({"V16", same_image ? Consequence::repair : Consequence::read_only,
               error_at(0, Errc::footer_invalid,
                        fmt::format("footer copy at 0x0: differs from the footer at {:#x} (current "
                                    "size {} and {} bytes)",
                                    pair.end.offset, head.current_size, end.current_size)),
               same_image ? "write the end footer over the copy at 0" : ""});
}

FooterRepair judge_head(const FooterPair& pair, Verdict& verdict) {
  if (!pair.end.footer.is_sparse()) return FooterRepair::none;
  if (!pair.head.valid()) {
    verdict.add(
        {"V16", Consequence::repair,
         error_at(0, Errc::footer_invalid,
                  fmt::format(
                      "footer copy at 0x0: {}, expected a copy of the footer at {:#x}",
                      pair.head.state == FooterState::bad_checksum ? "wrong checksum" : "no cookie",
                      pair.end.offset)),
         "write the end footer over the copy at 0"});
    return FooterRepair::rewrite_head;
  }
  if (pair.head.footer == pair.end.footer) return FooterRepair::none;
  report_difference(pair, verdict);
  return FooterRepair::rewrite_head;
}

/// A footer of another version or type tells nothing about the rest; a wrong size does.
bool ends_at_footer(const Verdict& verdict, const Scope& scope) {
  if (verdict.rejection() == nullptr) return false;
  return !scope.everything || verdict.breaks("V4") || verdict.breaks("V5") || verdict.breaks("V8");
}

Layout layout_under(const FooterCopy& copy, const FooterPair& pair, VhdSize authority) {
  Layout layout;
  layout.file_size = pair.file_size;
  layout.footer = copy.footer;
  layout.footer_offset = pair.end.valid() ? pair.end.offset : pair.file_size;
  layout.virtual_size = virtual_size(copy.footer, authority);
  layout.header_offset = copy.footer.data_offset;
  return layout;
}

void judge_fixed(const Layout& layout, Verdict& verdict) {
  const u64 size = layout.footer.current_size;
  const u64 room = layout.footer_offset;
  if (size > room) {
    verdict.add("V11", Consequence::reject,
                error_at(room, Errc::file_size_invalid,
                         fmt::format("footer at {:#x}: current size {} bytes, expected at most {}",
                                     room, size, room)));
  } else if (size < room) {
    verdict.add("V12", Consequence::ignore,
                error_at(size, Errc::file_size_invalid,
                         fmt::format("{} bytes between the disk and the footer at {:#x}",
                                     room - size, room)));
  }
}

std::string_view rule_of(Errc code) {
  switch (code) {
    case Errc::header_checksum: return "V18";
    case Errc::header_unsupported_version: return "V19";
    default: return "V17";
  }
}

void judge_parent_fields(const Layout& layout, Verdict& verdict) {
  const DynamicHeader& header = layout.header;
  const bool stray = !header.parent_unique_id.is_zero() || header.parent_time_stamp != 0 ||
                     header.parent_unicode_name != DynamicHeader{}.parent_unicode_name;
  if (!stray) return;
  verdict.add("V38", Consequence::warn,
              error_at(layout.header_offset, Errc::header_invalid,
                       fmt::format("dynamic header at {:#x}: parent fields in a dynamic image are "
                                   "ignored",
                                   layout.header_offset)));
}

Status judge_parent(const File& file, Layout& layout, Verdict& verdict) {
  if (!layout.footer.is(DiskType::differencing)) {
    judge_parent_fields(layout, verdict);
    return {};
  }
  const LocatorPlace place{layout.header_offset, layout.file_size};
  VDISK_ASSIGN(layout.parent, read_parent_link(file, layout.header, place, verdict));
  layout.parent->parent_is_raw =
      created_by(layout.footer, "tap") && layout.header.parent_unique_id.is_zero();
  return {};
}

/// The header's fields, unless it is none, or (but for a check) its checksum is wrong.
Result<bool> read_header(const File& file, Layout& layout, const Scope& scope, Verdict& verdict) {
  std::array<std::byte, dynamic_header_size> bytes{};
  VDISK_TRY(file.read_at(layout.header_offset, bytes));
  auto header = decode_dynamic_header(bytes, layout.header_offset);
  if (header) {
    layout.header = *std::move(header);
    return true;
  }
  const bool go_on = scope.everything && header.error().code == Errc::header_checksum;
  const auto rule = rule_of(header.error().code);
  verdict.add(rule, Consequence::reject, std::move(header).error());
  if (go_on) layout.header = decode_header_fields(bytes);
  return go_on;
}

/// Validates the header alone. Whether the BAT that it names can be walked.
bool judge_header(const Layout& layout, Verdict& verdict) {
  Verdict header;
  validate_dynamic_header(layout.header,
                          {layout.header_offset, layout.footer_offset, layout.footer.current_size},
                          header);
  for (const Violation& violation : header.violations()) verdict.add(violation);
  return !header.breaks("V21") && !header.breaks("V22") && !header.breaks("V25");
}

Status judge_sparse(const File& file, Survey& result, const Scope& scope) {
  constexpr u64 smallest = footer_size + dynamic_header_size + sector_size;
  Layout& layout = result.layout;
  Verdict& verdict = result.verdict;
  if (layout.footer_offset < smallest) {
    verdict.add("V1", Consequence::reject,
                error_at(layout.footer_offset, Errc::file_size_invalid,
                         fmt::format("file of {} bytes, expected at least {}", layout.file_size,
                                     smallest + footer_size)));
    return {};
  }
  VDISK_ASSIGN(const bool header_known, read_header(file, layout, scope, verdict));
  if (!header_known) return {};
  result.blocks_known = judge_header(layout, verdict);
  if (!result.blocks_known || (verdict.rejection() != nullptr && !scope.everything)) return {};
  const u64 needed =
      divide_up(round_down(layout.footer.current_size, sector_size), layout.header.block_size);
  layout.block_count = std::min<u64>(
      {needed, layout.header.max_table_entries, scope.everything ? max_block_count : needed});
  VDISK_TRY(judge_parent(file, layout, verdict));
  return survey_batmap(file, layout.footer, layout.header, layout.file_size, verdict);
}

Result<Survey> survey_under(const File& file, const FooterCopy& copy, const FooterPair& pair,
                            const Scope& scope) {
  Survey result{layout_under(copy, pair, scope.authority), {}};
  validate_footer(copy.footer, {copy.offset, result.layout.footer_offset}, result.verdict);
  if (ends_at_footer(result.verdict, scope)) return result;
  if (copy.footer.is_sparse()) {
    VDISK_TRY(judge_sparse(file, result, scope));
  } else {
    judge_fixed(result.layout, result.verdict);
  }
  return result;
}

Result<Survey> survey_under_end(const File& file, const FooterPair& pair, const Scope& scope) {
  VDISK_ASSIGN(Survey result, survey_under(file, pair.end, pair, scope));
  if (result.verdict.rejection() != nullptr && !scope.everything) return result;
  result.layout.repair =
      pair.end.size == legacy_footer_size ? FooterRepair::convert_legacy : FooterRepair::none;
  const FooterRepair head = judge_head(pair, result.verdict);
  if (head != FooterRepair::none) result.layout.repair = head;
  return result;
}

/// The header below the end footer does not fit it (a resize that stopped half-way): when the copy
/// at 0 describes the same image and fits, the content can be read through that.
Result<Survey> survey_through_head(const File& file, const FooterPair& pair, VhdSize authority,
                                   Survey refused) {
  const bool same_image = pair.head.valid() && pair.head.footer.is_sparse() &&
                          pair.head.footer.unique_id == pair.end.footer.unique_id &&
                          pair.head.footer.disk_type == pair.end.footer.disk_type &&
                          pair.head.footer != pair.end.footer;
  Verdict footer_alone;
  validate_footer(pair.end.footer, {pair.end.offset, pair.end.offset}, footer_alone);
  if (!same_image || footer_alone.rejection() != nullptr) return refused;
  VDISK_ASSIGN(Survey result, survey_under(file, pair.head, pair, {authority}));
  if (result.verdict.rejection() != nullptr) return refused;
  Error error = *refused.verdict.rejection();
  error.message += "; the older copy at 0x0 is used";
  result.verdict.add(
      {"V16", Consequence::read_only, std::move(error), "write the copy at 0 over the end footer"});
  result.layout.repair = FooterRepair::rewrite_end;
  return result;
}

Result<Survey> survey_stranded(const File& file, const FooterCopy& stranded, const FooterPair& pair,
                               const Scope& scope) {
  VDISK_ASSIGN(Survey result, survey_under(file, stranded, pair, scope));
  report_missing_end(pair, stranded.offset, "cut the file behind the last footer", result.verdict);
  result.layout.stranded_footer_offset = stranded.offset;
  result.layout.repair = FooterRepair::append_end;
  return result;
}

Result<Survey> survey_without_end(const File& file, const FooterPair& pair, const Scope& scope) {
  const bool head = pair.head.valid() && pair.head.footer.is_sparse();
  VDISK_ASSIGN(const auto stranded, find_stranded_footer(file, pair.file_size));
  if (head && stranded) {
    Survey result;
    report_two_claims(stranded->offset, result.verdict);
    return result;
  }
  if (head) {
    VDISK_ASSIGN(Survey result, survey_under(file, pair.head, pair, scope));
    report_missing_end(pair, 0, "write the copy at 0 behind the end of the file", result.verdict);
    result.layout.repair = FooterRepair::append_end;
    return result;
  }
  if (stranded) return survey_stranded(file, *stranded, pair, scope);
  Survey result;
  const bool damaged =
      pair.end.state == FooterState::bad_checksum ||
      (pair.end.state == FooterState::missing && pair.head.state == FooterState::bad_checksum);
  result.verdict.add(damaged ? "V3" : "V2", Consequence::reject, no_footer(pair));
  return result;
}

Result<Survey> survey_file(const File& file, const Scope& scope) {
  VDISK_ASSIGN(const FooterPair pair, read_footers(file));
  if (!pair.end.valid()) return survey_without_end(file, pair, scope);
  VDISK_ASSIGN(Survey result, survey_under_end(file, pair, scope));
  if (result.verdict.rejection() == nullptr || !pair.end.footer.is_sparse()) return result;
  return survey_through_head(file, pair, scope.authority, std::move(result));
}

}  // namespace

Result<FooterPair> read_footers(const File& file) {
  FooterPair pair;
  VDISK_ASSIGN(pair.file_size, file.size());
  if (pair.file_size < smallest_file) {
    return fail(Errc::not_image, fmt::format("file of {} bytes, expected at least {}",
                                             pair.file_size, smallest_file));
  }
  VDISK_TRY(read_copy(file, pair.head));
  pair.end.offset = pair.file_size - footer_size;
  VDISK_TRY(read_copy(file, pair.end));
  const bool odd = pair.file_size % sector_size == legacy_footer_size;
  if (pair.end.state != FooterState::missing || !odd) return pair;
  FooterCopy legacy{
      pair.file_size - legacy_footer_size, legacy_footer_size, FooterState::missing, {}};
  VDISK_TRY(read_copy(file, legacy));
  if (legacy.state != FooterState::missing) pair.end = legacy;
  return pair;
}

Result<Survey> survey(const File& file, VhdSize authority) {
  return survey_file(file, {authority});
}

Result<Survey> survey_everything(const File& file) {
  return survey_file(file, {VhdSize::current, true});
}

std::vector<FileRange> core_ranges(const Layout& layout) {
  return {{0, footer_size},
          {layout.header_offset, dynamic_header_size},
          {layout.header.table_offset, table_bytes(layout.header.max_table_entries)}};
}

std::vector<FileRange> metadata_ranges(const Layout& layout) {
  std::vector<FileRange> ranges = core_ranges(layout);
  if (!layout.parent) return ranges;
  for (const ParentLocator& locator : layout.header.locators) {
    const u64 length = round_up(locator.data_length, sector_size);
    const bool inside = locator.data_length <= max_locator_length &&
                        lies_within(locator.data_offset, length, 0, layout.footer_offset);
    if (locator.used() && length != 0 && inside) ranges.push_back({locator.data_offset, length});
  }
  return ranges;
}

}  // namespace vdisk::vhd
