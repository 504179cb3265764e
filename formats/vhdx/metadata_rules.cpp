#include "formats/vhdx/metadata_rules.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

/// Sizes from here on cannot be meant: no signed 64-bit offset reaches them.
constexpr u64 absurd_size = u64{1} << 63;

constexpr std::array known_items{
    file_parameters_id,      virtual_disk_size_id, virtual_disk_id_id, logical_sector_size_id,
    physical_sector_size_id, parent_locator_id,    chs_parameters_id,  pmem_label_area_id};

struct KnownFlags {
  Guid id;
  bool is_virtual_disk;
};
constexpr std::array known_flags{
    KnownFlags{file_parameters_id, false},     KnownFlags{virtual_disk_size_id, true},
    KnownFlags{virtual_disk_id_id, true},      KnownFlags{logical_sector_size_id, true},
    KnownFlags{physical_sector_size_id, true}, KnownFlags{parent_locator_id, false}};

Status validate_ids(std::span<const MetadataItem> items, const Region& region) {
  std::vector<std::pair<Guid, bool>> ids;
  for (const MetadataItem& item : items) ids.emplace_back(item.id, item.is_user);
  std::ranges::sort(ids);
  const auto twice = std::ranges::adjacent_find(ids);
  const bool has_zero = !ids.empty() && ids.front().first.is_zero();
  if (twice == ids.end() && !has_zero) return {};
  return broken(27, Errc::corrupt, region.offset,
                fmt::format("metadata table at {:#x}: item {}, expected ids that are unique and "
                            "not zero",
                            region.offset, has_zero ? "0" : to_string(twice->first) + " twice"));
}

Status validate_place(const MetadataItem& item, const Region& region) {
  if (item.length == 0 && item.offset == 0) return {};
  if (item.length != 0 && item.length <= max_item_length &&
      lies_within(item.offset, item.length, metadata_table_size, region.length)) {
    return {};
  }
  return broken(28, Errc::corrupt, region.offset,
                fmt::format("metadata table at {:#x}: item {} of {} bytes at {:#x} of the region, "
                            "expected at most 1 MiB behind the table and inside the region",
                            region.offset, to_string(item.id), item.length, item.offset));
}

/// Of items that share bytes none can be believed.
Status validate_disjoint(std::span<MetadataItem> items, const Region& region,
                         Objections& objections) {
  std::vector<MetadataItem*> places;
  for (MetadataItem& item : items) {
    if (item.in_place) places.push_back(&item);
  }
  std::ranges::sort(places, {}, &MetadataItem::offset);
  for (std::size_t index = 1; index < places.size(); ++index) {
    MetadataItem& before = *places[index - 1];
    MetadataItem& item = *places[index];
    if (!overlaps(before.offset, before.length, item.offset, item.length)) continue;
    before.in_place = item.in_place = false;
    VDISK_TRY(objections.raise(
        broken(28, Errc::corrupt, region.offset,
               fmt::format("metadata table at {:#x}: the items at {:#x} and {:#x} of the region "
                           "overlap, expected disjoint items",
                           region.offset, before.offset, item.offset))));
  }
  return {};
}

Status validate_known(const MetadataItem& item, const Region& region) {
  if (item.id == incomplete_file_id && !item.is_user) {
    return broken(30, Errc::unsupported, region.offset,
                  fmt::format("metadata table at {:#x}: marked as an incomplete file, expected a "
                              "finished one",
                              region.offset));
  }
  if (!item.is_required || std::ranges::find(known_items, item.id) != known_items.end()) return {};
  return broken(
      30, Errc::unsupported, region.offset,
      fmt::format("metadata table at {:#x}: unknown required item {}, expected known ones",
                  region.offset, to_string(item.id)));
}

}  // namespace

bool is_sector_size(u32 size) {
  return size == 512 || size == 4096;
}

Status validate_items(std::span<MetadataItem> items, const Region& region, Objections& objections) {
  const auto raise = [&objections](Status status) -> Status {
    if (status) return {};
    return objections.raise(std::unexpected(std::move(status).error()));
  };
  VDISK_TRY(raise(validate_ids(items, region)));
  for (MetadataItem& item : items) {
    auto placed = validate_place(item, region);
    item.in_place = placed.has_value();
    VDISK_TRY(raise(std::move(placed)));
    VDISK_TRY(raise(validate_known(item, region)));
  }
  return validate_disjoint(items, region, objections);
}

Status validate_block_size(u32 block_size, u64 place) {
  if (block_size >= min_block_size && block_size <= max_block_size &&
      std::has_single_bit(block_size)) {
    return {};
  }
  return broken(
      33, Errc::block_size_invalid, place,
      fmt::format("file parameters at {:#x}: block size {} bytes, expected a power of two "
                  "from 1 MiB to 256 MiB",
                  place, block_size));
}

Status validate_sector_sizes(const Metadata& metadata, u64 place) {
  if (is_sector_size(metadata.logical_sector_size) &&
      is_sector_size(metadata.physical_sector_size)) {
    return {};
  }
  return broken(34, Errc::corrupt, place,
                fmt::format("metadata at {:#x}: logical sector {} bytes, physical {} bytes, "
                            "expected 512 or 4096",
                            place, metadata.logical_sector_size, metadata.physical_sector_size));
}

Status validate_virtual_size(const Metadata& metadata) {
  const u64 size = metadata.virtual_disk_size;
  const u64 place = metadata.size_item_file_offset;
  if (size == 0 || size >= absurd_size || !is_aligned(size, metadata.logical_sector_size)) {
    return broken(
        35, Errc::virtual_size_invalid, place,
        fmt::format("virtual disk size at {:#x}: {} bytes, expected a multiple of {} bytes "
                    "up to 64 TiB",
                    place, size, metadata.logical_sector_size));
  }
  if (size <= max_virtual_size) return {};
  return broken(
      35, Errc::limit, place,
      fmt::format("virtual disk size at {:#x}: {} bytes, expected at most 64 TiB", place, size));
}

void append_flag_warnings(Metadata& metadata, const Region& region) {
  for (const KnownFlags& known : known_flags) {
    const MetadataItem* item = metadata.find(known.id);
    if (item == nullptr || (item->is_virtual_disk == known.is_virtual_disk && item->is_required)) {
      continue;
    }
    metadata.warnings.push_back(
        {rule_name(32), fmt::format("metadata table at {:#x}: item {} has unusual flags",
                                    region.offset, to_string(known.id))});
  }
}

}  // namespace vdisk::vhdx
