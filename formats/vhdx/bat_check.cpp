#include "formats/vhdx/bat_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/bat_survey.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

std::string rule_of_fault(const EntryFinding& finding, bool is_bitmap) {
  switch (finding.fault) {
    case EntryFault::reserved_bits: return rule_name(37);
    case EntryFault::state: return rule_name(is_bitmap ? 42 : 38);
    case EntryFault::in_header:
    case EntryFault::behind_end: return rule_name(39);
    case EntryFault::none:
    case EntryFault::over_fixed_area: break;
  }
  return rule_name(40);
}

class BatChecker {
 public:
  BatChecker(const File& file, const Layout& layout, bool repairable, CheckReport& report)
      : layout_(layout), repairable_(repairable), report_(report), survey_(file, layout) {}

  Status run() {
    VDISK_TRY(survey_.run([this](const EntryFinding& finding) { return add(finding); }));
    report_.blocks_total = layout_.bat_layout.payload_block_count();
    report_.blocks_allocated = survey_.allocated();
    add_missing_bitmaps();
    add_tallies();
    add_leak();
    return {};
  }

 private:
  [[nodiscard]] bool is_bitmap(u64 index) const {
    return layout_.bat_layout.is_bitmap_index(index);
  }

  /// The text is only made for findings that are kept: there may be millions.
  Status add(const EntryFinding& found) {
    if (found.is_junk) return {};  // told together at the end
    Finding finding{.id = rule_of_fault(found, is_bitmap(found.index)),
                    .severity = Severity::error,
                    .offset = bat_entry_offset(layout_, found.index),
                    .message = {},
                    .repair = {}};
    if (report_.findings.size() < CheckReport::max_findings) {
      finding.message = message_of(found);
      if (repairable_) finding.repair = repair_of(found);
    }
    report_.add(std::move(finding));
    return {};
  }

  [[nodiscard]] std::string message_of(const EntryFinding& found) const {
    if (found.fault == EntryFault::none) return shared_message(found);
    const BatLayout& bat = layout_.bat_layout;
    const auto refused =
        is_bitmap(found.index)
            ? validate_bitmap_entry(layout_, bat.chunk_of_index(found.index), found.raw)
            : validate_payload_entry(layout_, bat.block_of_index(found.index), found.raw);
    return refused ? std::string() : refused.error().message;
  }

  [[nodiscard]] std::string shared_message(const EntryFinding& found) const {
    return fmt::format(
        "BAT entry at {:#x}: {:#x} bytes at {:#x}, of which {:#x} is used by another entry, "
        "expected free space",
        bat_entry_offset(layout_, found.index),
        is_bitmap(found.index) ? sector_bitmap_size : layout_.bat_layout.block_size(),
        decode_bat_entry(found.raw).file_offset, found.other_place);
  }

  [[nodiscard]] std::string repair_of(const EntryFinding& found) const {
    switch (found.remedy) {
      case Remedy::none: break;
      case Remedy::rewrite: return fmt::format("write the entry as {:#x}", found.new_raw);
      case Remedy::relocate: return "copy it to a place of its own";
      case Remedy::extend: return "give the file its length back; what is missing reads as zeros";
      case Remedy::give_up: return give_up_text(found.index);
    }
    return {};
  }

  [[nodiscard]] std::string give_up_text(u64 index) const {
    if (is_bitmap(index)) return "clear the entry; no block needs the bitmap";
    const u64 begin = layout_.bat_layout.block_of_index(index) * layout_.bat_layout.block_size();
    return fmt::format("forget the block, which is lost: guest bytes from {:#x} read as {}", begin,
                       layout_.has_parent() ? "the parent's" : "zeros");
  }

  void add_missing_bitmaps() {
    const Tally& missing = survey_.missing_bitmaps();
    if (missing.count == 0) return;
    const u64 place = bat_entry_offset(layout_, missing.first_index);
    report_.add({.id = rule_name(43),
                 .severity = Severity::error,
                 .offset = place,
                 .message = fmt::format("BAT entry at {:#x}: no sector bitmap, expected one for "
                                        "partially present blocks; {} chunks have none",
                                        place, missing.count)});
  }

  struct Remark {
    int rule = 0;
    std::string_view what;
    Severity severity = Severity::info;
    std::string_view repair = {};
  };
  void add_tally(const Tally& tally, const Remark& remark) {
    if (tally.count == 0) return;
    const u64 place = bat_entry_offset(layout_, tally.first_index);
    report_.add({.id = rule_name(remark.rule),
                 .severity = remark.severity,
                 .offset = place,
                 .message = fmt::format("BAT entry at {:#x}: {}, {} such entries are ignored",
                                        place, remark.what, tally.count),
                 .repair = repairable_ ? std::string(remark.repair) : std::string()});
  }

  void add_tallies() {
    add_tally(survey_.junk_bitmaps(), {42, "a sector bitmap slot in use without a parent",
                                       Severity::warning, "clear the slots"});
    add_tally(survey_.anchors(), {41, "an offset kept for a block without data"});
    add_tally(survey_.spare_entries(), {44, "in use behind the entries that the disk needs"});
    const Tally& holes = survey_.holes();
    if (holes.count == 0) return;
    const u64 place = bat_entry_offset(layout_, holes.first_index);
    report_.add({.id = "hole",
                 .offset = place,
                 .message = fmt::format("BAT entry at {:#x}: a present block that is a hole of the "
                                        "host's file and reads as zeros; {} such blocks",
                                        place, holes.count)});
  }

  void add_leak() {
    const auto first = survey_.space().first_free();
    if (!first) return;
    report_.bytes_reclaimable = survey_.space().free_count() * region_alignment;
    const auto tail = repairable_ ? cuttable_end(layout_, survey_.space(), report_) : std::nullopt;
    report_.add({.id = "leak",
                 .offset = *first,
                 .message = fmt::format("file at {:#x}: {} bytes belong to nothing", *first,
                                        report_.bytes_reclaimable),
                 .repair = tail ? fmt::format("cut the file at {:#x}", *tail) : std::string()});
  }

  const Layout& layout_;
  const bool repairable_;
  CheckReport& report_;
  BatSurvey survey_;
};

}  // namespace

std::optional<u64> cuttable_end(const Layout& layout, const FileMap& space,
                                const CheckReport& report) {
  const bool damaged = std::ranges::any_of(
      report.findings, [](const Finding& finding) { return finding.severity == Severity::error; });
  if (damaged || report.suppressed_findings != 0 || layout.type() == ImageType::fixed) {
    return std::nullopt;
  }
  const u64 end = space.used_end();
  return end < round_down(layout.file_size, region_alignment) ? std::optional(end) : std::nullopt;
}

Status check_bat(const File& file, const Layout& layout, bool repairable, CheckReport& report) {
  return BatChecker(file, layout, repairable, report).run();
}

}  // namespace vdisk::vhdx
