/// The one gate: everything that must hold before an image is opened, checked or dumped.
///
/// The BAT is not read here: its entries are validated one by one when they are used (bat_rules.h),
/// so that a disk of any size opens in bounded time and memory.
#pragma once

#include <string>
#include <vector>

#include "formats/vhdx/bat.h"
#include "formats/vhdx/header.h"
#include "formats/vhdx/metadata.h"
#include "formats/vhdx/region_table.h"
#include "vdisk/format.h"

namespace vdisk::vhdx {

struct Layout {
  HeaderPair headers;
  RegionTable regions;
  Metadata metadata;
  BatLayout bat_layout;
  u64 file_size = 0;
  std::vector<Warning> warnings;
  std::string creator;

  [[nodiscard]] bool has_parent() const { return metadata.has_parent; }
  [[nodiscard]] ImageType type() const;
};

/// Where the entries are; requires metadata whose shape is known.
[[nodiscard]] BatLayout bat_layout_of(const Metadata& metadata);
/// X36: the region holds the entries that the disk needs.
[[nodiscard]] Status validate_bat_region(const Layout& layout);
/// Tolerable oddities of the parts, as warnings of the whole.
void collect_warnings(Layout& layout);

/// Validates X1..X48 and X55. Errors: the corrupt kinds, file_size_invalid, unsupported, limit,
/// needs_replay (X13), wrong_state when the image may only be read but `options` ask for writing.
[[nodiscard]] Result<Layout> read_layout(const File& file, const ImageOptions& options);

}  // namespace vdisk::vhdx
