#include "capi/disk.h"

#include <cstring>
#include <utility>

#include "capi/options.h"
#include "capi/sized.h"
#include "capi/status.h"

using vdisk::fail;
using vdisk::Result;
using vdisk::Status;

namespace vdisk::capi {

namespace {

Result<std::unique_ptr<vdisk_disk>> open_disk(const char* path, const vdisk_open_options* options) {
  auto name = path_of(path, "path");
  if (!name) return std::unexpected(std::move(name).error());
  auto open = open_options(options);
  if (!open) return std::unexpected(std::move(open).error());
  auto disk = Disk::open(*name, *open);
  if (!disk) return std::unexpected(std::move(disk).error());
  auto handle = std::make_unique<vdisk_disk>(*std::move(disk));
  for (std::size_t index = 0; index < handle->disk.depth(); ++index) {
    auto layer = handle->disk.layer(index);
    if (!layer) return std::unexpected(std::move(layer).error());
    handle->paths.push_back(layer->path.native());
  }
  return handle;
}

uint32_t number_of(State state) {
  switch (state) {
    case State::data: return VDISK_DATA;
    case State::zero: return VDISK_ZERO;
    case State::absent: return VDISK_ABSENT;
  }
  return VDISK_ABSENT;
}

vdisk_layer_info describe(const LayerInfo& layer) {
  const ImageInfo& image = layer.image;
  vdisk_layer_info info = VDISK_LAYER_INFO_INIT;
  info.type = type_number(image.type);
  info.block_size = image.geometry.block_size;
  info.logical_sector_size = image.geometry.logical_sector_size;
  info.physical_sector_size = image.geometry.physical_sector_size;
  info.virtual_size = image.geometry.virtual_size;
  info.file_size = layer.file_size;
  info.allocated_size = layer.allocated_size;
  std::copy(image.id.bytes.begin(), image.id.bytes.end(), info.id);
  info.dirty = layer.dirty ? 1 : 0;
  info.has_parent = image.parent ? 1 : 0;
  std::strncpy(info.format, image.format.c_str(), sizeof info.format - 1);
  return info;
}

/// Hands a value out, or the error.
template <class Value>
Status deliver(Result<Value> result, Value* target) {
  if (!result) return std::unexpected(std::move(result).error());
  if (target == nullptr) return fail(Errc::invalid_argument, "no place for the result is given");
  *target = *std::move(result);
  return {};
}

template <class T>
Status need(const T* pointer, const char* what) {
  if (pointer != nullptr) return {};
  return fail(Errc::invalid_argument, std::string(what) + ": missing");
}

Status need_bytes(const void* data, std::size_t length) {
  return length == 0 ? Status() : need(data, "data");
}

Status need_limit(u64 limit) {
  if (limit != 0) return {};
  return fail(Errc::invalid_argument, "limit: 0, expected at least one byte");
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_disk_open(const char* path, const vdisk_open_options* options, vdisk_disk** disk,
                             vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    auto opened = capi::open_disk(path, options);
    if (!opened) return std::unexpected(std::move(opened).error());
    *disk = opened->release();
    return {};
  });
}

vdisk_status vdisk_disk_close(vdisk_disk* disk, vdisk_error** error) {
  std::unique_ptr<vdisk_disk> owned(disk);
  const auto status = capi::guarded(error, [&] { return owned ? owned->disk.close() : Status(); });
  if (status == VDISK_OPERATION_IN_PROGRESS) (void)owned.release();  // the mirror goes on
  return status;
}

void vdisk_disk_free(vdisk_disk* disk) {
  delete disk;
}

uint64_t vdisk_disk_size(const vdisk_disk* disk) {
  return disk == nullptr ? 0 : disk->disk.size();
}
uint32_t vdisk_disk_logical_sector_size(const vdisk_disk* disk) {
  return disk == nullptr ? 0 : disk->disk.geometry().logical_sector_size;
}
size_t vdisk_disk_depth(const vdisk_disk* disk) {
  return disk == nullptr ? 0 : disk->disk.depth();
}
int vdisk_disk_complete(const vdisk_disk* disk) {
  return disk != nullptr && disk->disk.complete() ? 1 : 0;
}

vdisk_status vdisk_disk_layer(const vdisk_disk* disk, size_t index, vdisk_layer_info* info,
                              vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    auto layer = disk->disk.layer(index);
    if (!layer) return std::unexpected(std::move(layer).error());
    return capi::give(capi::describe(*layer), info);
  });
}

const char* vdisk_disk_layer_path(const vdisk_disk* disk, size_t index) {
  if (disk == nullptr || index >= disk->paths.size()) return nullptr;
  return disk->paths[index].c_str();
}

int vdisk_disk_layer_descriptor(const vdisk_disk* disk, size_t index) {
  if (disk == nullptr || index >= disk->paths.size()) return -1;
  return disk->disk.layer_file(index).native_descriptor().value_or(-1);
}

vdisk_status vdisk_disk_read(const vdisk_disk* disk, uint64_t offset, void* data, size_t length,
                             vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    if (auto given = capi::need_bytes(data, length); !given) return given;
    return disk->disk.read(offset, {static_cast<std::byte*>(data), length});
  });
}

vdisk_status vdisk_disk_write(vdisk_disk* disk, uint64_t offset, const void* data, size_t length,
                              vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    if (auto given = capi::need_bytes(data, length); !given) return given;
    return disk->disk.write(offset, {static_cast<const std::byte*>(data), length});
  });
}

vdisk_status vdisk_disk_zero(vdisk_disk* disk, uint64_t offset, uint64_t length,
                             vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    return disk->disk.zero(offset, length);
  });
}

vdisk_status vdisk_disk_discard(vdisk_disk* disk, uint64_t offset, uint64_t length,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    return disk->disk.discard(offset, length);
  });
}

vdisk_status vdisk_disk_flush(vdisk_disk* disk, vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    return disk->disk.flush();
  });
}

vdisk_status vdisk_disk_map(const vdisk_disk* disk, uint64_t offset, uint64_t limit,
                            vdisk_extent* extent, vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    if (auto some = capi::need_limit(limit); !some) return some;
    auto found = disk->disk.extent_at(offset, limit);
    if (!found) return std::unexpected(std::move(found).error());
    return capi::deliver(Result<vdisk_extent>(vdisk_extent{
                             found->offset, found->length, found->file_offset,
                             capi::number_of(found->state), static_cast<uint32_t>(found->depth)}),
                         extent);
  });
}

vdisk_status vdisk_disk_reserve(vdisk_disk* disk, uint64_t offset, uint64_t limit,
                                vdisk_extent* extent, vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    if (auto some = capi::need_limit(limit); !some) return some;
    auto place = disk->disk.reserve(offset, limit);
    if (!place) return std::unexpected(std::move(place).error());
    return capi::deliver(
        Result<vdisk_extent>(vdisk_extent{place->offset, place->length, place->file_offset,
                                          capi::number_of(place->state), 0}),
        extent);
  });
}

vdisk_status vdisk_disk_commit(vdisk_disk* disk, const vdisk_extent* written, vdisk_error** error) {
  return capi::guarded(error, [&]() -> Status {
    if (auto given = capi::need(disk, "disk"); !given) return given;
    if (auto given = capi::need(written, "extent"); !given) return given;
    if (written->state != VDISK_DATA) {
      return fail(vdisk::Errc::invalid_argument, "extent: expected one that was reserved");
    }
    return disk->disk.commit({.offset = written->offset,
                              .length = written->length,
                              .state = vdisk::State::data,
                              .file_offset = written->file_offset});
  });
}
