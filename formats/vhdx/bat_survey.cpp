#include "formats/vhdx/bat_survey.h"

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/space_scan.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 sector_size = 512;
/// Reserved states: the first was never defined, the second was UNMAPPED in draft 0.95.
constexpr u8 undefined_state = 4;
constexpr u8 draft_unmapped_state = 5;

bool is_present_bitmap(u64 raw) {
  return static_cast<BitmapState>(decode_bat_entry(raw).state) == BitmapState::present;
}

bool is_partial(u64 raw) {
  return decode_bat_entry(raw).payload_state() == PayloadState::partially_present;
}

}  // namespace

BatSurvey::BatSurvey(const File& file, const Layout& layout)
    : file_(file),
      layout_(layout),
      bat_(layout.bat_layout),
      faults_(layout),
      space_(layout.file_size),
      probe_(file) {
  claim_fixed_areas();
}

void BatSurvey::claim_fixed_areas() {
  space_.claim(0, header_section_size);
  space_.claim(layout_.headers.current.log_offset, layout_.headers.current.log_length);
  for (const Region& region : layout_.regions.regions) {
    if (region.in_place) space_.claim(region.offset, region.length);
  }
}

Status BatSurvey::run(const EntryFindingVisitor& visit) {
  VDISK_TRY(
      scan_bat(file_, layout_, [&](u64 index, u64 raw) { return visit_sound(index, raw, visit); }));
  settle_chunk(bat_.entry_count());
  constexpr u64 no_end = u64{1} << 32;  // the region bounds the scan
  VDISK_TRY(scan_entries(file_, layout_, {bat_.entry_count(), no_end}, [&](u64 index, u64) {
    spare_entries_.add(index);
    return Status();
  }));
  if (unsound_ == 0) return {};
  partial_chunk_.reset();
  return scan_bat(file_, layout_,
                  [&](u64 index, u64 raw) { return visit_unsound(index, raw, visit); });
}

Status BatSurvey::visit_sound(u64 index, u64 raw, const EntryFindingVisitor& visit) {
  settle_chunk(index);
  return bat_.is_bitmap_index(index) ? visit_bitmap(index, raw, visit)
                                     : visit_payload(index, raw, visit);
}

Status BatSurvey::visit_payload(u64 index, u64 raw, const EntryFindingVisitor& visit) {
  if (!bat_.is_block_index(index)) {
    spare_entries_.add(index);
    return {};
  }
  if (faults_.of_payload(bat_.block_of_index(index), raw) != EntryFault::none) {
    ++unsound_;
    return {};
  }
  const BatEntry entry = decode_bat_entry(raw);
  if (!entry.has_data()) {
    if (entry.file_offset != 0) anchors_.add(index);
    return {};
  }
  ++allocated_;
  if (is_partial(raw)) partial_chunk_ = bat_.chunk_of_index(index);
  VDISK_TRY(count_hole(index, entry.file_offset));
  return claim(index, raw, bat_.block_size(), visit);
}

Status BatSurvey::count_hole(u64 index, u64 offset) {
  if (layout_.type() == ImageType::fixed) return {};
  const u64 length = bat_.payload_length(bat_.block_of_index(index));
  VDISK_ASSIGN(const bool hole, probe_.is_hole(offset, length));
  if (hole) holes_.add(index);
  return {};
}

Status BatSurvey::visit_bitmap(u64 index, u64 raw, const EntryFindingVisitor& visit) {
  if (!layout_.has_parent()) {
    junk_bitmaps_.add(index);
    return visit({.index = index, .raw = raw, .remedy = Remedy::rewrite, .is_junk = true});
  }
  if (faults_.of_bitmap(raw) != EntryFault::none) {
    partial_chunk_.reset();  // told together with the slot
    ++unsound_;
    return {};
  }
  if (!is_present_bitmap(raw)) return {};
  partial_chunk_.reset();
  return claim(index, raw, sector_bitmap_size, visit);
}

/// X43: the bitmap slot of a chunk follows its payload entries; an empty slot is not visited.
void BatSurvey::settle_chunk(u64 next_index) {
  if (!partial_chunk_) return;
  const u64 slot = bat_.bitmap_index(*partial_chunk_);
  if (next_index <= slot) return;
  missing_bitmaps_.add(slot);
  partial_chunk_.reset();
}

/// The entry that comes first keeps a place that two of them name.
Status BatSurvey::claim(u64 index, u64 raw, u64 length, const EntryFindingVisitor& visit) {
  const auto taken = space_.claim(decode_bat_entry(raw).file_offset, length);
  if (!taken) return {};
  EntryFinding finding{.index = index, .raw = raw, .other_place = *taken};
  if (length <= max_relocated_bytes - relocated_bytes_) {
    relocated_bytes_ += length;
    finding.remedy = Remedy::relocate;
  }
  return visit(finding);
}

Status BatSurvey::visit_unsound(u64 index, u64 raw, const EntryFindingVisitor& visit) {
  if (!bat_.is_bitmap_index(index)) {
    if (!bat_.is_block_index(index)) return {};
    if (faults_.of_payload(bat_.block_of_index(index), raw) == EntryFault::none) {
      if (is_partial(raw)) partial_chunk_ = bat_.chunk_of_index(index);
      return {};
    }
    return visit(judge_payload(index, raw));
  }
  const bool sound = !layout_.has_parent() || faults_.of_bitmap(raw) == EntryFault::none;
  return sound ? Status() : visit(judge_bitmap(index, raw));
}

EntryFinding BatSurvey::judge_payload(u64 index, u64 raw) {
  EntryFinding finding{
      .index = index, .raw = raw, .fault = faults_.of_payload(bat_.block_of_index(index), raw)};
  BatEntry entry = decode_bat_entry(raw);
  if (entry.state == undefined_state) {
    if (entry.file_offset == 0) finding.remedy = Remedy::give_up;
    return finding;
  }
  if (entry.state == draft_unmapped_state) entry = {static_cast<u8>(PayloadState::unmapped), 0};
  if (is_partial(raw) && !layout_.has_parent()) {
    entry.state = static_cast<u8>(PayloadState::fully_present);
  }
  if (entry.has_data()) return judge_stored(finding, encode(entry));
  finding.remedy = Remedy::rewrite;
  finding.new_raw = encode(entry);
  return finding;
}

/// `candidate` says that the block is in the file: whether that can be true.
EntryFinding BatSurvey::judge_stored(EntryFinding finding, u64 candidate) {
  const u64 offset = decode_bat_entry(candidate).file_offset;
  const EntryFault fault = faults_.of_payload(bat_.block_of_index(finding.index), candidate);
  if (fault == EntryFault::none && take(offset, bat_.block_size())) {
    finding.remedy = Remedy::rewrite;
    finding.new_raw = candidate;
  } else if (fault == EntryFault::behind_end && is_cut(offset) && take(offset, bat_.block_size())) {
    finding.remedy = Remedy::extend;
    finding.new_raw = candidate;
  } else {
    finding.remedy = Remedy::give_up;
  }
  const bool stored = finding.remedy != Remedy::give_up;
  if (stored && is_partial(candidate)) partial_chunk_ = bat_.chunk_of_index(finding.index);
  return finding;
}

EntryFinding BatSurvey::judge_bitmap(u64 index, u64 raw) {
  EntryFinding finding{.index = index, .raw = raw, .fault = faults_.of_bitmap(raw)};
  const bool needed = partial_chunk_ == bat_.chunk_of_index(index);
  if (!needed) {
    finding.remedy = Remedy::give_up;
    return finding;
  }
  const u64 offset = decode_bat_entry(raw).file_offset;
  const u64 candidate = encode(BatEntry{static_cast<u8>(BitmapState::present), offset});
  if (faults_.of_bitmap(candidate) == EntryFault::none && take(offset, sector_bitmap_size)) {
    finding.remedy = Remedy::rewrite;
    finding.new_raw = candidate;
  }
  return finding;
}

bool BatSurvey::take(u64 offset, u64 length) {
  if (!space_.is_free(offset, length)) return false;
  space_.claim(offset, length);
  return true;
}

/// Whether a block begins inside the file, so that a part of it can be there.
bool BatSurvey::is_cut(u64 offset) const {
  return faults_.of_extent(offset, bat_.block_size(), sector_size) == EntryFault::none;
}

}  // namespace vdisk::vhdx
