#include "formats/vhdx/entry_texts.h"

#include <fmt/format.h>

#include "formats/vhdx/bat_rules.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

bool is_bitmap(const EntryFinding& found, const Layout& layout) {
  return layout.bat_layout.is_bitmap_index(found.index);
}

std::string shared_message(const EntryFinding& found, const Layout& layout) {
  return fmt::format(
      "BAT entry at {:#x}: {:#x} bytes at {:#x}, of which {:#x} is used by another entry, expected "
      "free space",
      bat_entry_offset(layout, found.index),
      is_bitmap(found, layout) ? sector_bitmap_size : layout.bat_layout.block_size(),
      decode_bat_entry(found.raw).file_offset, found.other_place);
}

std::string give_up_text(const EntryFinding& found, const Layout& layout) {
  if (is_bitmap(found, layout)) return "clear the entry; no block needs the bitmap";
  const BatLayout& bat = layout.bat_layout;
  return fmt::format("forget the block, which is lost: guest bytes from {:#x} read as {}",
                     bat.block_of_index(found.index) * bat.block_size(),
                     layout.has_parent() ? "the parent's" : "zeros");
}

}  // namespace

std::string rule_of(const EntryFinding& found, const Layout& layout) {
  if (found.is_junk) return rule_name(42);
  switch (found.fault) {
    case EntryFault::reserved_bits: return rule_name(37);
    case EntryFault::state: return rule_name(is_bitmap(found, layout) ? 42 : 38);
    case EntryFault::in_header:
    case EntryFault::behind_end: return rule_name(39);
    case EntryFault::none:
    case EntryFault::over_fixed_area: break;
  }
  return rule_name(40);
}

std::string message_of(const EntryFinding& found, const Layout& layout) {
  if (found.fault == EntryFault::none) return shared_message(found, layout);
  const BatLayout& bat = layout.bat_layout;
  const auto refused =
      is_bitmap(found, layout)
          ? validate_bitmap_entry(layout, bat.chunk_of_index(found.index), found.raw)
          : validate_payload_entry(layout, bat.block_of_index(found.index), found.raw);
  return refused ? std::string() : refused.error().message;
}

std::string repair_of(const EntryFinding& found, const Layout& layout) {
  switch (found.remedy) {
    case Remedy::none: break;
    case Remedy::rewrite: return fmt::format("write the entry as {:#x}", found.new_raw);
    case Remedy::relocate: return "copy it to a place of its own";
    case Remedy::extend: return "give the file its length back; what is missing reads as zeros";
    case Remedy::give_up: return give_up_text(found, layout);
  }
  return {};
}

}  // namespace vdisk::vhdx
