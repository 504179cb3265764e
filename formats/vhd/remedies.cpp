#include "formats/vhd/remedies.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/block_survey.h"

namespace vdisk::vhd {

namespace {

/// Fields that no other structure confirms have their only sensible value.
bool is_plain(const DynamicHeader& header) {
  const DynamicHeader plain;
  return header.data_offset == no_offset && header.parent_unique_id.is_zero() &&
         header.parent_time_stamp == 0 && header.reserved_1 == 0 &&
         header.parent_unicode_name == plain.parent_unicode_name &&
         header.locators == plain.locators && header.reserved_2 == plain.reserved_2;
}

/// Whether every entry of the BAT names a place of its own inside the file.
Result<bool> all_blocks_sound(const File& file, const Layout& layout) {
  bool sound = true;
  BlockSurvey blocks(file, layout);
  VDISK_TRY(blocks.run([&sound](const BlockFinding&) {
    sound = false;
    return Status();
  }));
  return sound && blocks.unlisted_count() == 0;
}

/// A dynamic image whose BAT has exactly the entries that the footer's size needs, all of them
/// sound for this block size: only the checksum itself can be wrong.
Result<bool> is_header_confirmed(const File& file, const Survey& survey) {
  const Layout& layout = survey.layout;
  const bool only_checksum =
      std::ranges::none_of(survey.verdict.violations(), [](const Violation& violation) {
        return violation.consequence == Consequence::reject && violation.rule != "V18";
      });
  const bool candidate = survey.blocks_known && only_checksum &&
                         layout.footer.is(DiskType::dynamic) && is_plain(layout.header) &&
                         layout.header.max_table_entries == layout.block_count;
  if (!candidate) return false;
  return all_blocks_sound(file, layout);
}

bool all_have_repairs(const Verdict& verdict, Consequence consequence) {
  return std::ranges::all_of(verdict.violations(), [consequence](const Violation& violation) {
    return violation.consequence != consequence || !violation.repair.empty();
  });
}

/// What keeps an image from being written but not its footers from being put right.
bool is_about_blocks_only(const Violation& violation) {
  return violation.rule == "V41";
}

bool footers_may_change(const Verdict& verdict) {
  return std::ranges::all_of(verdict.violations(), [](const Violation& violation) {
    return violation.consequence != Consequence::read_only || !violation.repair.empty() ||
           is_about_blocks_only(violation);
  });
}

}  // namespace

Result<Remedies> Remedies::plan(const File& file, Survey& survey) {
  Remedies remedies;
  Verdict& verdict = survey.verdict;
  if (verdict.breaks("V18")) {
    VDISK_ASSIGN(remedies.header_checksum, is_header_confirmed(file, survey));
    if (remedies.header_checksum) verdict.set_repair("V18", "write the right checksum");
  }
  const bool usable = all_have_repairs(verdict, Consequence::reject) && footers_may_change(verdict);
  remedies.footers = usable && survey.layout.repair != FooterRepair::none &&
                     survey.layout.repair != FooterRepair::convert_legacy;
  remedies.blocks =
      usable && survey.blocks_known && all_have_repairs(verdict, Consequence::read_only);
  if (usable) return remedies;
  remedies.header_checksum = false;
  verdict.forget_repairs();
  return remedies;
}

}  // namespace vdisk::vhd
