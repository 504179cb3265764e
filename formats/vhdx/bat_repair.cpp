// Order: the file's length and the copies of blocks, durable; then the entries, through the log;
// then the end of the file is cut, once the log is empty.
#include "formats/vhdx/bat_repair.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/copy_stored.h"
#include "formats/vhdx/bat_check.h"
#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/bat_survey.h"
#include "formats/vhdx/entry_texts.h"
#include "formats/vhdx/journal.h"
#include "formats/vhdx/survey.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 page_size = 4096;
/// Pages of the BAT that are logged together: 1 MiB.
constexpr std::size_t pages_at_once = 256;
/// A repair changes at most so many entries (64 MiB of memory); a rerun goes on.
constexpr std::size_t max_new_entries = std::size_t{1} << 22;

struct NewEntry {
  u64 index = 0;
  u64 raw = 0;
};
struct Move {
  u64 index = 0;
  u64 raw = 0;  ///< as it is now
};

class BatRepair {
 public:
  BatRepair(File& file, const Layout& layout, RepairReport& report)
      : file_(file),
        layout_(layout),
        report_(report),
        journal_(file, layout.headers, Durability::crash_safe) {}

  Status run() {
    BatSurvey survey(file_, layout_);
    VDISK_TRY(survey.run([this](const EntryFinding& found) {
      note(found);
      return Status();
    }));
    if (survey.junk_bitmaps().count != 0) {
      report_.add({"X42", bat_entry_offset(layout_, survey.junk_bitmaps().first_index),
                   fmt::format("clear {} slots", survey.junk_bitmaps().count)});
    }
    VDISK_TRY(change(survey.space().used_end()));
    return cut_end();
  }

 private:
  void note(const EntryFinding& found) {
    const bool full = entries_.size() + moves_.size() >= max_new_entries;
    if (found.remedy == Remedy::none || full) return;
    if (found.remedy == Remedy::relocate) {
      moves_.push_back({found.index, found.raw});
    } else if (found.new_raw != found.raw) {
      entries_.push_back({found.index, found.new_raw});
    }
    if (found.remedy == Remedy::extend) {
      least_size_ = decode_bat_entry(found.new_raw).file_offset + layout_.bat_layout.block_size();
    }
    if (found.is_junk) return;  // told together
    report_.add({rule_of(found, layout_), bat_entry_offset(layout_, found.index),
                 repair_of(found, layout_)});
  }

  Status change(u64 used_end) {
    if (entries_.empty() && moves_.empty() && least_size_ == 0) return {};
    VDISK_TRY(journal_.begin(Visibility::file_only));
    if (least_size_ > layout_.file_size) VDISK_TRY(file_.resize(least_size_));
    VDISK_TRY(copy_blocks(std::max({layout_.file_size, least_size_, used_end})));
    VDISK_TRY(file_.flush());
    std::ranges::sort(entries_, {}, &NewEntry::index);
    VDISK_TRY(write_entries());
    return journal_.close();
  }

  /// New places are behind everything, at the end of the file.
  Status copy_blocks(u64 end) {
    u64 place = round_up(end, block_alignment);
    for (const Move& move : moves_) {
      const bool bitmap = layout_.bat_layout.is_bitmap_index(move.index);
      const u64 length = bitmap ? sector_bitmap_size : layout_.bat_layout.block_size();
      BatEntry entry = decode_bat_entry(move.raw);
      VDISK_ASSIGN(const u64 size, file_.size());
      if (size < place + length) VDISK_TRY(file_.resize(place + length));
      const u64 stored = std::min(length, layout_.file_size - entry.file_offset);
      VDISK_TRY(copy_stored(file_, entry.file_offset, place, stored));
      entry.file_offset = place;
      entries_.push_back({move.index, encode(entry)});
      place += length;
    }
    return {};
  }

  Status write_entries() {
    std::vector<DirtyPage> pages;
    for (std::span<const NewEntry> rest = entries_; !rest.empty();) {
      VDISK_ASSIGN(pages.emplace_back(), changed_page(rest));
      if (pages.size() < pages_at_once && !rest.empty()) continue;
      VDISK_TRY(write_pages(pages));
      pages.clear();
    }
    return {};
  }

  /// The page of the first of these entries, with all of them that are in it; takes them off.
  Result<DirtyPage> changed_page(std::span<const NewEntry>& entries) const {
    const auto place = [this](const NewEntry& entry) {
      return bat_entry_offset(layout_, entry.index);
    };
    DirtyPage page{.offset = round_down(place(entries.front()), page_size),
                   .data = std::vector<std::byte>(page_size)};
    VDISK_TRY(file_.read_at(page.offset, page.data));
    std::size_t count = 0;
    for (; count < entries.size() && place(entries[count]) < page.offset + page_size; ++count) {
      store(std::span(page.data).subspan(place(entries[count]) - page.offset),
            little_uint64_buf_t(entries[count].raw));
    }
    entries = entries.subspan(count);
    return page;
  }

  Status write_pages(const std::vector<DirtyPage>& pages) {
    VDISK_ASSIGN(const u64 size, file_.size());
    return journal_.write({.pages = pages, .last_file_offset = round_up(size, mib)});
  }

  Status cut_end() {
    VDISK_ASSIGN(const Layout now, read_layout(file_, {}));
    BatSurvey survey(file_, now);
    VDISK_TRY(survey.run([](const EntryFinding&) { return Status(); }));
    VDISK_ASSIGN(const auto end, find_cuttable_end(file_, now, survey.space()));
    if (!end) return {};
    report_.add({"leak", *end, fmt::format("cut the zeros from {:#x} on", *end)});
    VDISK_TRY(file_.resize(*end));
    return file_.flush();
  }

  File& file_;
  const Layout& layout_;
  RepairReport& report_;
  Journal journal_;
  std::vector<NewEntry> entries_;
  std::vector<Move> moves_;
  u64 least_size_ = 0;  ///< of the file, so that a cut block has its length
};

}  // namespace

Status repair_bat(File& file, RepairReport& report) {
  const auto layout = read_layout(file, {.access = Access::read_write});
  if (layout) return BatRepair(file, *layout, report).run();
  return is_failure_to_read(layout.error()) ? Status(std::unexpected(layout.error())) : Status();
}

}  // namespace vdisk::vhdx
