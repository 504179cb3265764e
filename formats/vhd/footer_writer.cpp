/// Footer writes and repairs.
#include "formats/vhd/footer_writer.h"

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

Status write_footer(File& file, u64 offset, const Footer& footer) {
  const RawFooter raw = encode_footer(footer);
  return file.write_at(offset, bytes_of(raw));
}

Status extend_with_footer(File& file, const Layout& layout, u64 new_offset) {
  auto written = write_footer(file, new_offset, layout.footer);
  if (!written) (void)file.resize(layout.footer_offset + footer_size);
  return written;
}

Status publish_footer(File& file, u64 end_offset, const Footer& footer) {
  VDISK_TRY(write_footer(file, end_offset, footer));
  VDISK_TRY(file.flush());
  if (!footer.is_sparse()) return {};
  VDISK_TRY(write_footer(file, 0, footer));
  return file.flush();
}

namespace {

/// What an interrupted growth left behind the footer of a fixed disk.
Status cut_behind(File& file, u64 footer_offset, Layout& layout) {
  layout.footer_offset = footer_offset;
  layout.file_size = footer_offset + footer_size;
  VDISK_TRY(file.resize(layout.file_size));
  layout.repair = FooterRepair::none;
  return file.flush();
}

}  // namespace

Status repair_footers(File& file, Layout& layout) {
  if (layout.stranded_footer_offset) {
    return cut_behind(file, *layout.stranded_footer_offset, layout);
  }
  switch (layout.repair) {
    case FooterRepair::none: return {};
    case FooterRepair::rewrite_head: VDISK_TRY(write_footer(file, 0, layout.footer)); break;
    case FooterRepair::append_end:
      layout.footer_offset = round_up(layout.file_size, sector_size);
      [[fallthrough]];
    case FooterRepair::convert_legacy:
    case FooterRepair::rewrite_end:
      VDISK_TRY(write_footer(file, layout.footer_offset, layout.footer));
      break;
  }
  layout.file_size = std::max(layout.file_size, layout.footer_offset + footer_size);
  layout.repair = FooterRepair::none;
  return file.flush();
}

}  // namespace vdisk::vhd
