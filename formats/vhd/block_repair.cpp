/// Order: the end footer behind everything to come, durable; copies, durable; then the
/// entries that name them; bitmaps once no block shares its place. An entry is four bytes in one
/// sector: old or new at every instant.
#include "formats/vhd/block_repair.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/copy_stored.h"
#include "formats/hole_probe.h"
#include "formats/vhd/block_survey.h"
#include "formats/vhd/block_texts.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/hidden_data.h"
#include "formats/vhd/sector_bits.h"

namespace vdisk::vhd {

namespace {

constexpr u64 entry_size = sizeof(u32);
constexpr u64 entries_per_sector = sector_size / entry_size;

struct NewEntry {
  u64 index = 0;
  u32 sector = 0;
};

/// Writes entries, by ascending index, whole sectors of the BAT at a time.
Status write_entries(File& file, u64 table_offset, std::span<const NewEntry> entries) {
  std::array<std::byte, sector_size> page{};
  while (!entries.empty()) {
    const u64 group = entries.front().index / entries_per_sector;
    const u64 offset = table_offset + group * sector_size;
    VDISK_TRY(file.read_at(offset, page));
    std::size_t count = 0;
    for (; count < entries.size() && entries[count].index / entries_per_sector == group; ++count) {
      const u64 inside = entries[count].index % entries_per_sector * entry_size;
      store(std::span(page).subspan(inside), big_uint32_buf_t(entries[count].sector));
    }
    VDISK_TRY(file.write_at(offset, page));
    entries = entries.subspan(count);
  }
  return {};
}

class BlockRepair {
 public:
  BlockRepair(File& file, Layout& layout, RepairReport& report)
      : file_(file), layout_(layout), shape_(block_shape(layout)), report_(report) {}

  Status run() {
    BlockSurvey survey(file_, layout_);
    VDISK_TRY(survey.run([this](const BlockFinding& found) {
      note(found);
      return Status();
    }));
    if (cut_ != 0) VDISK_TRY(give_length_back());
    if (!moving_.empty()) VDISK_TRY(move_blocks(survey.blocks()));
    VDISK_TRY(write_entries(file_, layout_.header.table_offset, entries_));
    VDISK_TRY(file_.flush());
    return settled_ && survey.unlisted_count() == 0 ? finish() : Status();
  }

 private:
  void note(const BlockFinding& found) {
    if (found.remedy == Remedy::none) {
      settled_ = false;
      return;
    }
    if (found.remedy == Remedy::give_up) entries_.push_back({found.index, unallocated});
    if (found.remedy == Remedy::relocate) moving_.push_back({found.index, found.sector});
    if (found.remedy == Remedy::extend) cut_ = u64{found.sector} * sector_size;
    const EntryPlace place{found.index, layout_.header.table_offset, layout_.footer_offset};
    report_.add({found.shared ? "V27" : "V26", place.offset(), repair_of(found, layout_)});
  }

  /// The old end footer would become data of the block: it goes before the new one comes, so that
  /// an interrupted repair starts again from the copy at 0.
  Status give_length_back() {
    const u64 end = cut_ + shape_.footprint();
    if (lies_within(layout_.footer_offset, footer_size, cut_, end)) {
      VDISK_TRY(file_.zero_at(layout_.footer_offset, footer_size));
      VDISK_TRY(file_.flush());
    }
    return move_footer(end);
  }

  Status move_footer(u64 place) {
    VDISK_TRY(write_footer(file_, place, layout_.footer));
    VDISK_TRY(file_.flush());
    layout_.footer_offset = place;
    layout_.file_size = place + footer_size;
    return {};
  }

  Status move_blocks(const std::vector<u32>& blocks) {
    VDISK_ASSIGN(u64 place, first_free_place(blocks));
    std::vector<NewEntry> moved;
    for (const NewEntry& block : moving_) {
      if (place / sector_size > highest_block_sector) break;  // the BAT cannot name it
      moved.push_back({block.index, static_cast<u32>(place / sector_size)});
      place = aligned_place(place + shape_.footprint(), shape_);
    }
    const u64 old_footer = layout_.footer_offset;
    if (place > old_footer) {
      VDISK_TRY(move_footer(place));
      VDISK_TRY(file_.zero_at(old_footer, footer_size));
    }
    for (std::size_t n = 0; n < moved.size(); ++n) {
      VDISK_TRY(copy_stored(file_, u64{moving_[n].sector} * sector_size,
                            u64{moved[n].sector} * sector_size, shape_.footprint()));
    }
    VDISK_TRY(file_.flush());
    entries_.insert(entries_.end(), moved.begin(), moved.end());
    std::ranges::sort(entries_, {}, &NewEntry::index);
    return {};
  }

  /// Behind everything that is read, blocks over locators included. The room before the footer is
  /// taken when it holds nothing: what leaked there may be all that is left of a lost block.
  Result<u64> first_free_place(const std::vector<u32>& blocks) {
    u64 end = 0;
    for (const FileRange& range : metadata_ranges(layout_)) end = std::max(end, range.end());
    if (!blocks.empty()) end = std::max(end, u64{blocks.back()} * sector_size + shape_.footprint());
    if (cut_ != 0) end = std::max(end, cut_ + shape_.footprint());
    for (const NewEntry& block : moving_) {
      end = std::max(end, u64{block.sector} * sector_size + shape_.footprint());
    }
    const u64 begin = std::min(aligned_place(end, shape_), layout_.footer_offset);
    VDISK_ASSIGN(const bool empty, reads_as_zeros(file_, begin, layout_.footer_offset - begin));
    return aligned_place(empty ? begin : layout_.footer_offset + footer_size, shape_);
  }

  /// Every block has its own place now.
  Status finish() {
    BlockSurvey survey(file_, layout_);
    VDISK_TRY(survey.run([](const BlockFinding&) { return Status(); }));
    if (layout_.footer.is(DiskType::dynamic)) VDISK_TRY(set_bits(survey.blocks()));
    return cut_tail(survey.blocks());
  }

  /// V30: readers that believe the bits see what the others see.
  Status set_bits(const std::vector<u32>& blocks) {
    std::vector<std::byte> ones(shape_.bitmap_bytes);
    vhd::set_bits(ones, {0, shape_.block_size / sector_size});
    bool changed = false;
    for (const u32 block : blocks) {
      const u64 place = u64{block} * sector_size;
      VDISK_ASSIGN(const auto hidden, find_hidden_data(file_, shape_, place));
      if (!hidden) continue;
      VDISK_TRY(file_.write_at(place, ones));
      report_.add({"V30", place, "set the bits"});
      changed = true;
    }
    return changed ? file_.flush() : Status();
  }

  /// Until the file is cut there are two footers at its end.
  Status cut_tail(const std::vector<u32>& blocks) {
    VDISK_ASSIGN(const auto tail, find_cuttable_tail(file_, blocks, layout_));
    if (!tail) return {};
    report_.add(
        {"leak", *tail, fmt::format("move the footer to {:#x} and cut the zeros off", *tail)});
    VDISK_TRY(write_footer(file_, *tail, layout_.footer));
    VDISK_TRY(file_.flush());
    VDISK_TRY(file_.resize(*tail + footer_size));
    return file_.flush();
  }

  File& file_;
  Layout& layout_;
  const BlockShape shape_;
  RepairReport& report_;
  std::vector<NewEntry> entries_;
  std::vector<NewEntry> moving_;  ///< with the sectors where they are now
  u64 cut_ = 0;                   ///< place of the block that the end of the file cut
  bool settled_ = true;           ///< every finding has a remedy
};

}  // namespace

Status repair_blocks(File& file, Layout& layout, RepairReport& report) {
  return BlockRepair(file, layout, report).run();
}

}  // namespace vdisk::vhd
