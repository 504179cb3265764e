/// Metadata of an image.
#include "vdisk/metadata.h"

#include <algorithm>
#include <cstring>

#include "capi/operation.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

Result<Guid> guid_of(const uint8_t* id) {
  if (id == nullptr) return fail(Errc::invalid_argument, "id: missing");
  Guid guid;
  std::copy_n(id, guid.bytes.size(), guid.bytes.begin());
  return guid;
}

vdisk_metadata_item describe(const MetadataItemInfo& item) {
  vdisk_metadata_item known{};
  std::ranges::copy(item.id.bytes, known.id);
  known.length = item.length;
  known.file_offset = item.file_offset;
  known.is_user = item.is_user ? 1 : 0;
  known.is_virtual_disk = item.is_virtual_disk ? 1 : 0;
  known.is_required = item.is_required ? 1 : 0;
  return known;
}

/// Tells how many there are; whether `room` of them are enough.
Status take_count(u64 needed, const void* target, u64* room) {
  if (room == nullptr) return fail(Errc::invalid_argument, "no place for the count is given");
  const u64 given = target == nullptr ? 0 : *room;
  *room = needed;
  if (needed <= given) return {};
  return fail(Errc::buffer_too_small,
              "room for " + std::to_string(given) + ", expected " + std::to_string(needed));
}

Status apply(const MetadataChange& change) {
  Progress progress;
  auto changed = change_metadata(change, progress);
  if (!changed) return std::unexpected(std::move(changed).error());
  return {};
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_metadata_list(const char* path, const vdisk_open_options* open,
                                 vdisk_metadata_item* items, uint64_t* count, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    const auto name = inputs.path(path, "path");
    const auto options = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    const auto found = vdisk::list_metadata(name, options);
    if (!found) return std::unexpected(found.error());
    if (auto fits = capi::take_count(found->size(), items, count); !fits) return fits;
    std::ranges::transform(*found, items, capi::describe);
    return {};
  });
}

vdisk_status vdisk_metadata_get(const char* path, const uint8_t* id, uint32_t is_user,
                                const vdisk_open_options* open, void* data, uint64_t* length,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    const auto name = inputs.path(path, "path");
    const vdisk::MetadataKey key{inputs.keep(capi::guid_of(id)), is_user != 0};
    const auto options = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    const auto content = vdisk::get_metadata(name, key, options);
    if (!content) return std::unexpected(content.error());
    if (auto fits = capi::take_count(content->size(), data, length); !fits) return fits;
    if (!content->empty()) std::memcpy(data, content->data(), content->size());
    return {};
  });
}

vdisk_status vdisk_metadata_set(const char* path, const uint8_t* id, const void* data,
                                uint64_t length, uint32_t is_virtual_disk, uint32_t force,
                                const vdisk_open_options* open, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if ((data == nullptr && length != 0) || length > vdisk::max_metadata_item_length) {
      return vdisk::fail(vdisk::Errc::invalid_argument,
                         "length: " + std::to_string(length) + " bytes of data");
    }
    capi::Inputs inputs;
    vdisk::MetadataChange change{.path = inputs.path(path, "path")};
    vdisk::MetadataChange::Item item{.id = inputs.keep(capi::guid_of(id)),
                                     .is_virtual_disk = is_virtual_disk != 0};
    const auto* bytes = static_cast<const std::byte*>(data);
    if (length != 0) item.content.assign(bytes, bytes + length);
    change.set.push_back(std::move(item));
    change.force_children = force != 0;
    change.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::apply(change);
  });
}

vdisk_status vdisk_metadata_remove(const char* path, const uint8_t* id, uint32_t force,
                                   const vdisk_open_options* open, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::MetadataChange change{.path = inputs.path(path, "path")};
    change.remove.push_back(inputs.keep(capi::guid_of(id)));
    change.force_children = force != 0;
    change.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::apply(change);
  });
}
