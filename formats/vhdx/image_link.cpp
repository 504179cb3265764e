// Linking a VHDX child to its parent: a new parent locator through the log, in one entry.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/metadata_room.h"
#include "formats/vhdx/page_edit.h"

namespace vdisk::vhdx {

namespace {

constexpr std::string_view path_keys[] = {relative_path_key, volume_path_key,
                                          absolute_win32_path_key};

Result<ParentLocator> relinked(ParentLocator locator, const ParentLink& link) {
  if (link.accepted_ids.empty() || link.accepted_ids.size() > 2) {
    return fail(Errc::invalid_argument,
                fmt::format("parent link: {} ids, expected one or two", link.accepted_ids.size()));
  }
  locator.set(parent_linkage_key, format_linkage(link.accepted_ids.front()));
  locator.erase(parent_linkage2_key);
  if (link.accepted_ids.size() == 2) {
    locator.set(parent_linkage2_key, format_linkage(link.accepted_ids.back()));
  }
  if (link.paths.empty()) return locator;
  for (const auto key : path_keys) locator.erase(key);
  for (const ParentPath& path : link.paths) {
    if (std::ranges::find(path_keys, path.kind) == std::end(path_keys)) {
      return fail(Errc::invalid_argument,
                  fmt::format("parent link: path kind {}, expected one of VHDX", path.kind));
    }
    locator.set(path.kind, path.path);
  }
  return locator;
}

/// The first gap of the region that holds the item, whose old place is free as well.
Result<u32> item_place(const Metadata& metadata, const Region& region, u64 length) {
  std::vector<MetadataItem> others = metadata.items;
  std::erase_if(others, [](const MetadataItem& item) {
    return !item.is_user && item.id == parent_locator_id;
  });
  const auto place = find_room(others, region, {.length = length});
  if (place && length <= max_item_length) return *place;
  return fail_at(region.offset, Errc::metadata_full,
                 fmt::format("metadata region at {:#x}: no gap of {} bytes, expected room for the "
                             "parent locator",
                             region.offset, length));
}

}  // namespace

Status VhdxImage::link_parent(const ParentLink& link) {
  VDISK_TRY(require_writable());
  const std::scoped_lock flush_lock(flush_mutex_);
  Metadata metadata;
  Region region;
  {
    const MetadataLock lock(mutex_);
    metadata = map_.layout().metadata;
    region = map_.layout().regions.metadata;
  }
  if (!metadata.locator) {
    return fail(Errc::wrong_disk_kind, "VHDX: not differencing, expected a child to link");
  }
  VDISK_ASSIGN(metadata.locator, relinked(*std::move(metadata.locator), link));
  VDISK_ASSIGN(const auto item, encode(*metadata.locator));
  VDISK_ASSIGN(const u32 place, item_place(metadata, region, item.size()));
  for (MetadataItem& entry : metadata.items) {
    if (entry.is_user || entry.id != parent_locator_id) continue;
    entry.offset = place;
    entry.length = static_cast<u32>(item.size());
  }
  PageEdit edit(*file_);
  VDISK_TRY(edit.put(region.offset, encode_metadata_table(metadata.items)));
  VDISK_TRY(edit.put(region.offset + place, item));
  const auto pages = edit.take();
  VDISK_TRY(begin(Visibility::file_only));
  VDISK_TRY(flush_locked(pages));
  const MetadataLock lock(mutex_);
  map_.set_metadata(std::move(metadata));
  return {};
}

}  // namespace vdisk::vhdx
