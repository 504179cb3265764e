#include "formats/vhdx/bat_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/hole_probe.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/bat_survey.h"
#include "formats/vhdx/entry_texts.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

class BatChecker {
 public:
  BatChecker(const File& file, const Layout& layout, bool repairable, CheckReport& report)
      : file_(file),
        layout_(layout),
        repairable_(repairable),
        report_(report),
        survey_(file, layout) {}

  Status run() {
    VDISK_TRY(survey_.run([this](const EntryFinding& finding) { return add(finding); }));
    report_.blocks_total = layout_.bat_layout.payload_block_count();
    report_.blocks_allocated = survey_.allocated();
    add_missing_bitmaps();
    add_tallies();
    return add_leak();
  }

 private:
  [[nodiscard]] bool is_bitmap(u64 index) const {
    return layout_.bat_layout.is_bitmap_index(index);
  }

  /// The text is only made for findings that are kept: there may be millions.
  Status add(const EntryFinding& found) {
    if (found.is_junk) return {};  // told together at the end
    Finding finding{.id = rule_of(found, layout_),
                    .severity = Severity::error,
                    .offset = bat_entry_offset(layout_, found.index),
                    .message = {},
                    .repair = {}};
    if (report_.findings.size() < CheckReport::max_findings) {
      finding.message = message_of(found, layout_);
      if (repairable_) finding.repair = repair_of(found, layout_);
    }
    report_.add(std::move(finding));
    return {};
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

  Status add_leak() {
    const auto first = survey_.space().first_free();
    if (!first) return {};
    report_.bytes_reclaimable = survey_.space().free_count() * region_alignment;
    std::optional<u64> tail;
    if (repairable_) {
      VDISK_ASSIGN(tail, find_cuttable_end(file_, layout_, survey_.space()));
    }
    report_.add({.id = "leak",
                 .offset = *first,
                 .message = fmt::format("file at {:#x}: {} bytes belong to nothing", *first,
                                        report_.bytes_reclaimable),
                 .repair = tail ? "cut the zeros at the end of the file" : ""});
    return {};
  }

  const File& file_;
  const Layout& layout_;
  const bool repairable_;
  CheckReport& report_;
  BatSurvey survey_;
};

}  // namespace

Result<std::optional<u64>> find_cuttable_end(const File& file, const Layout& layout,
                                             const FileMap& space) {
  const u64 end = space.used_end();
  const bool worth_it = end < round_down(layout.file_size, region_alignment);
  if (!worth_it || layout.type() == ImageType::fixed) return std::optional<u64>{};
  VDISK_ASSIGN(const bool zeros, reads_as_zeros(file, end, layout.file_size - end));
  return zeros ? std::optional(end) : std::nullopt;
}

Status check_bat(const File& file, const Layout& layout, bool repairable, CheckReport& report) {
  return BatChecker(file, layout, repairable, report).run();
}

}  // namespace vdisk::vhdx
