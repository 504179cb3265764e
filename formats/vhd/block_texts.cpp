#include "formats/vhd/block_texts.h"

#include <fmt/format.h>

namespace vdisk::vhd {

std::string repair_of(const BlockFinding& found, const Layout& layout) {
  switch (found.remedy) {
    case Remedy::none: break;
    case Remedy::relocate: return "copy the block to a place of its own";
    case Remedy::extend: return "give the file its length back; what is missing reads as zeros";
    case Remedy::give_up:
      return fmt::format("forget the block, which is lost: guest bytes from {:#x} read as {}",
                         found.index * layout.header.block_size,
                         layout.footer.is(DiskType::differencing) ? "the parent's" : "zeros");
  }
  return {};
}

std::string message_of(const BlockFinding& found, const Layout& layout) {
  const EntryPlace place{found.index, layout.header.table_offset, layout.footer_offset};
  if (found.shared) {
    return fmt::format("BAT entry {} at {:#x}: the block at {:#x} overlaps the block at {:#x}",
                       place.index, place.offset(), u64{found.sector} * sector_size,
                       found.other_place);
  }
  const auto fault =
      validate_entry(found.sector, place, block_shape(layout), metadata_ranges(layout));
  return fault ? std::string() : fault.error().message;
}

}  // namespace vdisk::vhd
