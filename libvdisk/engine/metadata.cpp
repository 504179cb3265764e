/// metadata: items of an image, read and changed without touching the guest's data.
#include "vdisk/metadata.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/children.h"

namespace vdisk {

namespace {

Result<MetadataItems*> items_of(const Layer& layer) {
  if (MetadataItems* items = layer.image->metadata_items()) return items;
  return fail(Errc::unsupported, fmt::format("{}: a {} image has no metadata items",
                                             layer.path.string(), layer.format->name));
}

Result<Layer> open_for_reading(const std::filesystem::path& path, const OpenOptions& options) {
  OpenOptions open = options;
  open.access = Access::read_only;
  return open_alone(path, open);
}

template <class T>
T at_layer(const Layer& layer, T result) {
  if (!result) return std::unexpected(at_path(layer.path, std::move(result).error()));
  return result;
}

/// Whether the guest, or a child, can see the change: the content id changes then.
bool is_visible(const MetadataChange& change, const Layer& layer) {
  if (!change.description.empty()) return true;
  const auto describes_disk = [](const auto& item) { return item.is_virtual_disk; };
  if (std::ranges::any_of(change.set, describes_disk)) return true;
  const MetadataItems* items = layer.image->metadata_items();
  if (items == nullptr) return false;
  const auto list = items->list();
  return std::ranges::any_of(list, [&](const MetadataItemInfo& item) {
    const auto replaces = [&](const auto& set) { return set.id == item.id; };
    const bool touched = std::ranges::count(change.remove, item.id) != 0 ||
                         std::ranges::any_of(change.set, replaces);
    return item.is_user && item.is_virtual_disk && touched;
  });
}

Status refuse_children(const Layer& layer, const MetadataChange& change) {
  if (change.force_children) return {};
  VDISK_ASSIGN(const auto search, search_for_children(layer, change.open));
  VDISK_ASSIGN(const auto children, find_children(*file_system_of(change.open), search));
  if (children.empty()) return {};
  return fail(Errc::has_children,
              fmt::format("{}: is the parent of {}, expected no children: what the guest can see "
                          "of it would change",
                          layer.path.string(), children.front().string()));
}

Status apply_items(const MetadataChange& change, const Layer& layer, ChangedMetadata& changed,
                   Progress& progress) {
  if (change.remove.empty() && change.set.empty()) return {};
  VDISK_ASSIGN(auto* items, items_of(layer));
  for (const Guid& id : change.remove) {
    VDISK_TRY(items->remove(id));
    ++changed.removed_items;
    VDISK_TRY(progress.advance(1));
  }
  for (const auto& item : change.set) {
    VDISK_TRY(items->set(item.id, item.content, item.is_virtual_disk));
    ++changed.set_items;
    VDISK_TRY(progress.advance(1));
  }
  return {};
}

Result<ChangedMetadata> apply(const MetadataChange& change, const Layer& layer,
                              Progress& progress) {
  ChangedMetadata changed;
  VDISK_TRY(apply_items(change, layer, changed, progress));
  VDISK_TRY(progress.point_of_no_return());
  VDISK_TRY(layer.image->change_description(change.description));
  return changed;
}

}  // namespace

Result<std::vector<MetadataItemInfo>> list_metadata(const std::filesystem::path& path,
                                                    const OpenOptions& options) try {
  VDISK_ASSIGN(const auto layer, open_for_reading(path, options));
  VDISK_ASSIGN(const auto* items, items_of(layer));
  return items->list();
} catch (...) {
  return error_of_exception();
}

Result<std::vector<std::byte>> get_metadata(const std::filesystem::path& path,
                                            const MetadataKey& key,
                                            const OpenOptions& options) try {
  VDISK_ASSIGN(const auto layer, open_for_reading(path, options));
  VDISK_ASSIGN(const auto* items, items_of(layer));
  return at_layer(layer, items->get(key));
} catch (...) {
  return error_of_exception();
}

Result<ChangedMetadata> change_metadata(const MetadataChange& change, Progress& progress) try {
  OpenOptions open = change.open;
  open.access = Access::read_write;
  VDISK_ASSIGN(const auto layer, open_alone(change.path, open));
  if (is_visible(change, layer)) VDISK_TRY(refuse_children(layer, change));
  progress.phase("metadata");
  progress.expect(change.remove.size() + change.set.size() + 1);
  auto changed = at_layer(layer, apply(change, layer, progress));
  // What was done before an error stays done: the image is left clean.
  auto closed = at_layer(layer, layer.image->close());
  if (changed && !closed) return std::unexpected(std::move(closed).error());
  return changed;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
