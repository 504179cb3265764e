// Metadata items of a VHDX (FORMATS 2.7). The table changes in one entry of the log. The content of
// a new item goes with it when it is small; a large one is written to free pages first and is
// durable before the table names it.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/image.h"
#include "formats/vhdx/metadata_room.h"
#include "formats/vhdx/page_edit.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 page_size = 4096;
/// Items up to this size go through the log; every log has room for them and the table.
constexpr u64 largest_logged_item = 64 * kib;
/// As openvmm; a region of this size holds every item that the limits allow to be useful.
constexpr u64 largest_metadata_region = 128 * mib;

bool is_item(const MetadataItem& item, const MetadataKey& key) {
  return item.id == key.id && item.is_user == key.is_user;
}

std::vector<MetadataItem>::iterator find_item(std::vector<MetadataItem>& items,
                                              const MetadataKey& key) {
  return std::ranges::find_if(items, [&](const MetadataItem& item) { return is_item(item, key); });
}

std::unexpected<Error> no_item(const MetadataKey& key) {
  return fail(Errc::not_found, fmt::format("metadata: no {} item {}",
                                           key.is_user ? "user" : "system", to_string(key.id)));
}

}  // namespace

/// A table as it shall be, and the content that is new.
struct VhdxImage::ItemEdit {
  std::vector<MetadataItem> items;
  std::optional<std::size_t> added = {};  ///< index of the item whose content follows
  std::span<const std::byte> content = {};
  Visibility visibility = Visibility::file_only;
};

class VhdxImage::Items final : public MetadataItems {
 public:
  explicit Items(VhdxImage& image) : image_(image) {}

  [[nodiscard]] std::vector<MetadataItemInfo> list() const override {
    const MetadataLock lock(image_.mutex_);
    const Layout& layout = image_.map_.layout();
    std::vector<MetadataItemInfo> list;
    for (const MetadataItem& item : layout.metadata.items) {
      const u64 place = item.length == 0 ? 0 : layout.regions.metadata.offset + item.offset;
      list.push_back(
          {item.id, item.is_user, item.is_virtual_disk, item.is_required, item.length, place});
    }
    return list;
  }

  [[nodiscard]] Result<std::vector<std::byte>> get(const MetadataKey& key) const override {
    const auto items = list();
    const auto found = std::ranges::find_if(items, [&](const MetadataItemInfo& item) {
      return item.id == key.id && item.is_user == key.is_user;
    });
    if (found == items.end()) return no_item(key);
    std::vector<std::byte> content(found->length);  // at most max_item_length (X28)
    VDISK_TRY(image_.file_->read_at(found->file_offset, content));
    return content;
  }

  Status set(const Guid& id, std::span<const std::byte> content, bool is_virtual_disk) override {
    VDISK_TRY(image_.require_writable());
    if (id.is_zero()) return fail(Errc::invalid_argument, "metadata: the id of an item is zero");
    const std::scoped_lock flush_lock(image_.flush_mutex_);
    ItemEdit edit{.items = items(), .content = content};
    const auto present = find_item(edit.items, {id, true});
    VDISK_TRY(check_limits(edit, content.size(), present != edit.items.end()));
    const MetadataItem item{.id = id,
                            .is_user = true,
                            .is_virtual_disk = is_virtual_disk,
                            .length = static_cast<u32>(content.size())};
    bool visible = is_virtual_disk;
    edit.added = static_cast<std::size_t>(present - edit.items.begin());
    if (present == edit.items.end()) {
      edit.items.push_back(item);
    } else {
      visible = visible || present->is_virtual_disk;
      *present = item;
    }
    if (visible) edit.visibility = Visibility::guest_data;
    return image_.apply_items(edit);
  }

  Status remove(const Guid& id) override {
    VDISK_TRY(image_.require_writable());
    const std::scoped_lock flush_lock(image_.flush_mutex_);
    ItemEdit edit{.items = items()};
    const auto present = find_item(edit.items, {id, true});
    if (present == edit.items.end()) return no_item({id, true});
    if (present->is_virtual_disk) edit.visibility = Visibility::guest_data;
    edit.items.erase(present);
    return image_.apply_items(edit);
  }

 private:
  [[nodiscard]] std::vector<MetadataItem> items() const {
    const MetadataLock lock(image_.mutex_);
    return image_.map_.layout().metadata.items;
  }

  static Status check_limits(const ItemEdit& edit, u64 length, bool replaces) {
    if (length > max_item_length) {
      return fail(Errc::limit, fmt::format("metadata: an item of {} bytes, expected at most {}",
                                           length, max_item_length));
    }
    if (replaces) return {};
    const auto users = std::ranges::count_if(edit.items, &MetadataItem::is_user);
    if (static_cast<u64>(users) < max_user_items && edit.items.size() < max_metadata_entries) {
      return {};
    }
    return fail(Errc::limit, fmt::format("metadata: {} user items, expected fewer than {}", users,
                                         max_user_items));
  }

  VhdxImage& image_;
};

MetadataItems* VhdxImage::metadata_items() {
  if (!items_) items_ = std::make_unique<Items>(*this);
  return items_.get();
}

Status VhdxImage::apply_items(const ItemEdit& wanted) {
  ItemEdit edit = wanted;
  Metadata metadata;
  Region region;
  {
    const MetadataLock lock(mutex_);
    metadata = map_.layout().metadata;
    region = map_.layout().regions.metadata;
  }
  const bool large = edit.content.size() > largest_logged_item;
  if (edit.added && !edit.content.empty()) {
    // The old content of the item stays in the way: it is what a crash must leave.
    const auto place =
        find_room(metadata.items, region,
                  {.length = edit.content.size(), .alignment = large ? page_size : 1});
    if (!place) return grow_metadata(edit);
    edit.items[*edit.added].offset = *place;
  }
  PageEdit pages(*file_);
  VDISK_TRY(pages.put(region.offset, encode_metadata_table(edit.items)));
  VDISK_TRY(begin(edit.visibility));
  if (edit.added && !edit.content.empty()) {
    const u64 place = region.offset + edit.items[*edit.added].offset;
    VDISK_TRY(large ? file_->write_at(place, edit.content) : pages.put(place, edit.content));
  }
  if (large) {
    const MetadataLock lock(mutex_);
    payload_first_ = true;
  }
  VDISK_TRY(flush_locked(pages.take()));
  const MetadataLock lock(mutex_);
  metadata.items = std::move(edit.items);
  map_.set_metadata(std::move(metadata));
  return {};
}

/// The region has no room: a larger one, complete with the change, is written behind everything
/// else and takes its place by one change of the region tables.
Status VhdxImage::grow_metadata(const ItemEdit& edit) {
  u64 needed = metadata_table_size + round_up(edit.content.size(), page_size);
  for (const MetadataItem& item : edit.items) needed += round_up(item.length, page_size);
  VDISK_TRY(begin(edit.visibility));
  {
    const std::scoped_lock begin_lock(begin_mutex_);
    VDISK_TRY(learn_space());
  }
  VDISK_TRY(flush_locked());
  Region old_region;
  Region grown;
  {
    const MetadataLock lock(mutex_);
    old_region = grown = map_.layout().regions.metadata;
    const u64 length = round_up(std::max<u64>(needed, u64{2} * old_region.length), mib);
    if (length > largest_metadata_region) {
      return fail(Errc::metadata_full,
                  fmt::format("metadata region: {} bytes are needed, expected at most {}", length,
                              largest_metadata_region));
    }
    VDISK_ASSIGN(grown.offset, allocator_->append(length));
    grown.length = static_cast<u32>(length);
    payload_first_ = true;
  }
  VDISK_TRY(write_grown_metadata(edit, grown));
  PageEdit pages(*file_);
  std::vector<Region> regions = map_.layout().regions.regions;
  for (Region& region : regions) {
    if (region.id == grown.id) region = grown;
  }
  const auto table = encode_region_table(regions);
  for (const u64 offset : region_table_offsets) VDISK_TRY(pages.put(offset, table));
  VDISK_TRY(flush_locked(pages.take()));
  VDISK_ASSIGN(auto metadata, read_metadata(*file_, grown));
  const MetadataLock lock(mutex_);
  map_.move_metadata(grown, std::move(metadata));
  quarantine_.logged({{old_region.offset, old_region.length}});
  return {};
}

/// Items keep their places; the new one goes behind them.
Status VhdxImage::write_grown_metadata(const ItemEdit& edit, const Region& grown) {
  const Region old_region = map_.layout().regions.metadata;
  VDISK_TRY(file_->copy_from(*file_, old_region.offset, grown.offset, old_region.length));
  std::vector<MetadataItem> items = edit.items;
  items[*edit.added].offset = old_region.length;
  const auto table = encode_metadata_table(items);
  VDISK_TRY(file_->write_at(grown.offset, table));
  return file_->write_at(grown.offset + old_region.length, edit.content);
}

}  // namespace vdisk::vhdx
