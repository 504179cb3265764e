#include "formats/vhdx/metadata_room.h"

#include <algorithm>

#include "base/bytes.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

std::optional<u32> find_room(std::span<const MetadataItem> items, const Region& region,
                             const RoomRequest& request) {
  std::vector<MetadataItem> stored;
  for (const MetadataItem& item : items) {
    if (item.length != 0) stored.push_back(item);
  }
  std::ranges::sort(stored, {}, &MetadataItem::offset);
  u64 place = metadata_table_size;
  for (const MetadataItem& item : stored) {
    const u64 end =
        round_up(place, request.alignment) + round_up(request.length, request.alignment);
    if (item.offset >= end) break;
    place = std::max<u64>(place, u64{item.offset} + item.length);
  }
  place = round_up(place, request.alignment);
  const u64 length = round_up(request.length, request.alignment);
  if (!lies_within(place, length, 0, region.length)) return std::nullopt;
  return static_cast<u32>(place);
}

}  // namespace vdisk::vhdx
