#include "formats/vhdx/bat_check.h"

#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/bat_scan.h"
#include "formats/vhdx/file_map.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Something tolerable that may occur in every entry: counted, told once.
struct Tally {
  u64 count = 0;
  u64 first_offset = 0;

  void add(u64 offset) {
    if (count++ == 0) first_offset = offset;
  }
};

class BatChecker {
 public:
  BatChecker(const Layout& layout, CheckReport& report)
      : layout_(layout), bat_(layout.bat_layout), report_(report), map_(layout.file_size) {
    claim_fixed_areas();
  }

  Status visit(u64 index, u64 raw) {
    settle_partial(index);
    if (bat_.is_bitmap_index(index)) {
      visit_bitmap(index, raw);
    } else {
      visit_payload(index, raw);
    }
    return {};
  }

  void finish() {
    settle_partial(bat_.entry_count());
    report_.blocks_total = bat_.payload_block_count();
    report_.blocks_allocated = allocated_;
    add_tallies();
    add_leaks();
  }

 private:
  void claim_fixed_areas() {
    map_.claim(0, header_section_size);
    map_.claim(layout_.headers.current.log_offset, layout_.headers.current.log_length);
    for (const Region& region : layout_.regions.regions) map_.claim(region.offset, region.length);
  }

  void add_error(const Error& error) { report_.add(finding_of(error)); }

  void visit_payload(u64 index, u64 raw) {
    const u64 block = bat_.block_of_index(index);
    const auto entry = validate_payload_entry(layout_, block, raw);
    if (!entry) return add_error(entry.error());
    if (!entry->has_data()) {
      if (entry->file_offset != 0) anchors_.add(bat_entry_offset(layout_, index));
      return;
    }
    ++allocated_;
    if (entry->payload_state() == PayloadState::partially_present) partial_block_ = block;
    claim(index, entry->file_offset, bat_.block_size());
  }

  void visit_bitmap(u64 index, u64 raw) {
    if (!layout_.has_parent()) return junk_bitmaps_.add(bat_entry_offset(layout_, index));
    const auto entry = validate_bitmap_entry(layout_, bat_.chunk_of_index(index), raw);
    if (!entry) return add_error(entry.error());
    if (static_cast<BitmapState>(entry->state) != BitmapState::present) return;
    partial_block_.reset();
    claim(index, entry->file_offset, sector_bitmap_size);
  }

  /// X43: the bitmap slot of a chunk follows its payload entries; an empty slot is not visited.
  void settle_partial(u64 next_index) {
    if (!partial_block_) return;
    const u64 slot = bat_.bitmap_index(bat_.chunk_of_block(*partial_block_));
    if (next_index <= slot) return;
    const auto status = validate_bitmap_of_partial(layout_, *partial_block_, {});
    if (!status) add_error(status.error());
    partial_block_.reset();
  }

  void claim(u64 index, u64 offset, u64 length) {
    const auto taken = map_.claim(offset, length);
    if (!taken) return;
    const u64 place = bat_entry_offset(layout_, index);
    report_.add({.id = rule_name(40),
                 .severity = Severity::error,
                 .offset = place,
                 .message = fmt::format("BAT entry at {:#x}: {:#x} bytes at {:#x}, of which {:#x} "
                                        "is used by another entry, expected free space",
                                        place, length, offset, *taken)});
  }

  void add_tallies() {
    if (junk_bitmaps_.count != 0) {
      report_.add({.id = rule_name(42),
                   .severity = Severity::warning,
                   .offset = junk_bitmaps_.first_offset,
                   .message = fmt::format("BAT entry at {:#x}: sector bitmap slot in use without a "
                                          "parent; {} such slots are ignored",
                                          junk_bitmaps_.first_offset, junk_bitmaps_.count),
                   .repair = "clear the slots"});
    }
    if (anchors_.count != 0) {
      report_.add({.id = rule_name(41),
                   .offset = anchors_.first_offset,
                   .message = fmt::format("BAT entry at {:#x}: offset kept for a block without "
                                          "data; {} such offsets are ignored",
                                          anchors_.first_offset, anchors_.count)});
    }
  }

  void add_leaks() {
    const auto first = map_.first_free();
    if (!first) return;
    report_.bytes_reclaimable = map_.free_count() * region_alignment;
    report_.add({.id = "leak",
                 .offset = *first,
                 .message = fmt::format("file at {:#x}: {} bytes belong to nothing", *first,
                                        report_.bytes_reclaimable),
                 .repair = "compact gives them back"});
  }

  const Layout& layout_;
  const BatLayout& bat_;
  CheckReport& report_;
  FileMap map_;
  std::optional<u64> partial_block_;  ///< seen in this chunk, its bitmap not yet
  u64 allocated_ = 0;
  Tally junk_bitmaps_;
  Tally anchors_;
};

}  // namespace

Status check_bat(const File& file, const Layout& layout, CheckReport& report) {
  BatChecker checker(layout, report);
  VDISK_TRY(
      scan_bat(file, layout, [&checker](u64 index, u64 raw) { return checker.visit(index, raw); }));
  checker.finish();
  return {};
}

}  // namespace vdisk::vhdx
