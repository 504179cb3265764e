#include "formats/vhdx/layout.h"

#include <limits>

#include <fmt/format.h>

#include "base/try.h"
#include "formats/vhdx/file_identifier.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// X13: nothing but the headers may be read before the log has been replayed.
Status require_clean_log(const HeaderPair& headers, const ImageOptions& options) {
  if (headers.current.log_guid.is_zero() || options.ignore_dirty_log) return {};
  return broken(13, Errc::needs_replay, headers.current_offset(),
                fmt::format("header at {:#x}: the log is dirty, expected a replayed one",
                            headers.current_offset()));
}

/// States in which an image can be read but not written.
Status require_writable(const Header& header, u64 slot) {
  if (header.log_length == 0) {
    return fail_at(slot, Errc::wrong_state,
                   fmt::format("header at {:#x}: no log, expected one for writing", slot));
  }
  if (header.sequence_number > std::numeric_limits<u64>::max() - min_sequence_numbers_left) {
    return fail_at(slot, Errc::wrong_state,
                   fmt::format("header at {:#x}: sequence number {}, expected room for updates",
                               slot, header.sequence_number));
  }
  if (!header.log_guid.is_zero()) {
    return fail_at(slot, Errc::wrong_state,
                   fmt::format("header at {:#x}: the log is dirty, expected a replayed one for "
                               "writing",
                               slot));
  }
  return {};
}

}  // namespace

Status validate_bat_region(const Layout& layout) {
  const Region& bat = layout.regions.bat;
  if (layout.bat_layout.byte_length() <= bat.length) return {};
  return broken(36, Errc::bat_invalid, bat.offset,
                fmt::format("BAT region at {:#x}: {} bytes, expected at least {} bytes for {} "
                            "entries",
                            bat.offset, bat.length, layout.bat_layout.byte_length(),
                            layout.bat_layout.entry_count()));
}

BatLayout bat_layout_of(const Metadata& metadata) {
  return BatLayout({.virtual_size = metadata.virtual_disk_size,
                    .block_size = metadata.block_size,
                    .logical_sector_size = metadata.logical_sector_size,
                    .differencing = metadata.has_parent});
}

void collect_warnings(Layout& layout) {
  const HeaderPair& headers = layout.headers;
  if (!headers.other_valid) {
    layout.warnings.push_back(
        {rule_name(4),
         fmt::format("header at {:#x}: signature or checksum wrong; the one at {:#x} "
                     "is used",
                     header_slot_offsets[1 - headers.current_slot], headers.current_offset())});
  }
  const auto append = [&layout](const std::vector<Warning>& more) {
    layout.warnings.insert(layout.warnings.end(), more.begin(), more.end());
  };
  append(layout.regions.warnings);
  append(layout.metadata.warnings);
  if (layout.metadata.locator && to_parent_link(*layout.metadata.locator).paths.empty()) {
    layout.warnings.push_back({rule_name(49), "parent locator: no path of the parent"});
  }
}

ImageType Layout::type() const {
  if (metadata.has_parent) return ImageType::differencing;
  return metadata.leave_blocks_allocated ? ImageType::fixed : ImageType::dynamic;
}

Result<Layout> read_layout(const File& file, const ImageOptions& options) {
  Layout layout;
  VDISK_ASSIGN(layout.creator, read_file_identifier(file));
  VDISK_ASSIGN(layout.file_size, file.size());
  VDISK_ASSIGN(layout.headers, read_headers(file));
  VDISK_TRY(validate(layout.headers, layout.file_size));
  VDISK_TRY(require_clean_log(layout.headers, options));
  VDISK_ASSIGN(layout.regions, read_region_table(file, layout.headers.current));
  VDISK_ASSIGN(layout.metadata, read_metadata(file, layout.regions.metadata));
  layout.bat_layout = bat_layout_of(layout.metadata);
  VDISK_TRY(validate_bat_region(layout));
  if (options.access == Access::read_write) {
    VDISK_TRY(require_writable(layout.headers.current, layout.headers.current_offset()));
  }
  collect_warnings(layout);
  return layout;
}

}  // namespace vdisk::vhdx
