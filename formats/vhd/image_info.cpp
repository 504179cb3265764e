/// From Layout to the public description.
#include "formats/vhd/image_info.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "formats/vhd/timestamp.h"

namespace vdisk::vhd {

namespace {

ImageType type_of(const Footer& footer) {
  if (footer.is(DiskType::fixed)) return ImageType::fixed;
  return footer.is(DiskType::dynamic) ? ImageType::dynamic : ImageType::differencing;
}

Status check_not_saved(const Layout& layout) {
  if (layout.footer.saved_state != 1) return {};
  return fail(Errc::wrong_state,
              fmt::format("footer at {:#x}: a saved state refers to the disk, expected none",
                          layout.footer_offset));
}

}  // namespace

Geometry geometry_of(const Layout& layout) {
  Geometry geometry;
  geometry.virtual_size = layout.virtual_size;
  geometry.block_size = layout.header.block_size;
  return geometry;
}

ImageInfo info_of(const Layout& layout, const std::vector<Warning>& warnings) {
  ImageInfo info;
  info.format = "vhd";
  info.type = type_of(layout.footer);
  info.geometry = geometry_of(layout);
  info.id = layout.footer.unique_id;
  info.creator = creator_text(layout.footer);
  if (layout.footer.time_stamp != 0) info.created = to_unix_time(layout.footer.time_stamp);
  info.chs = layout.footer.chs();
  info.saved_state = layout.footer.saved_state == 1;
  info.parent = layout.parent;
  info.warnings = warnings;
  return info;
}

std::vector<Warning> warnings_of(const Verdict& verdict) {
  std::vector<Warning> warnings;
  for (const Violation& violation : verdict.violations()) {
    if (violation.consequence == Consequence::ignore) continue;
    warnings.push_back({std::string(violation.rule), violation.error.message});
  }
  return warnings;
}

Status validate_description(const Layout& layout, const DescriptionChange& change) {
  if (change.physical_sector_size) {
    return fail(Errc::unsupported, "a VHD has no physical sector size, expected none to be set");
  }
  if (change.disk_id && change.disk_id->is_zero()) {
    return fail(Errc::invalid_argument, "disk id: all zeros, expected one that names the disk");
  }
  return check_not_saved(layout);
}

Status validate_new_size(const Layout& layout, u64 new_size) {
  const u64 current = layout.footer.current_size;
  if (!is_aligned(new_size, sector_size) || new_size > max_virtual_size) {
    return fail(
        Errc::invalid_argument,
        fmt::format("new size {} bytes, expected a multiple of 512 up to 2040 GiB", new_size));
  }
  if (new_size < current) {
    return fail(Errc::cannot_shrink,
                fmt::format("new size {} bytes, expected at least {}", new_size, current));
  }
  return check_not_saved(layout);
}

Status validate_smaller_size(const Layout& layout, u64 new_size) {
  const u64 current = layout.footer.current_size;
  if (new_size == 0 || !is_aligned(new_size, sector_size) || new_size > current) {
    return fail(
        Errc::invalid_argument,
        fmt::format("new size {} bytes, expected a multiple of 512 up to {}", new_size, current));
  }
  if (layout.virtual_size != round_down(current, sector_size)) {
    return fail(
        Errc::unsupported,
        fmt::format("footer at {:#x}: {} bytes by its geometry, expected the {} bytes of its "
                    "size: what lies between them would be lost unseen",
                    layout.footer_offset, layout.virtual_size, current));
  }
  return check_not_saved(layout);
}

}  // namespace vdisk::vhd
