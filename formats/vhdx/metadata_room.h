/// Free places of the metadata region (FORMATS 2.7): between the items, behind the table.
#pragma once

#include <optional>
#include <span>

#include "formats/vhdx/metadata.h"

namespace vdisk::vhdx {

struct RoomRequest {
  u64 length = 0;
  /// 1: anywhere. A page: the place shares no page with any item, up to the page end behind it.
  u64 alignment = 1;
};

/// The first gap of the region that is free of these items; none when there is no such gap.
[[nodiscard]] std::optional<u32> find_room(std::span<const MetadataItem> items,
                                           const Region& region, const RoomRequest& request);

}  // namespace vdisk::vhdx
