/// The public face of Disk.
#include "vdisk/disk.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "engine/disk_core.h"

namespace vdisk {

namespace {
Status check_index(const std::vector<Layer>& layers, std::size_t index) {
  if (index < layers.size()) return {};
  return fail(Errc::invalid_argument,
              fmt::format("layer {}, expected one below {}", index, layers.size()));
}
}  // namespace

Disk::Disk(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Disk::Disk(Disk&&) noexcept = default;
Disk& Disk::operator=(Disk&&) noexcept = default;
Disk::~Disk() = default;

Disk DiskAccess::make(Chain chain, Access access, std::shared_ptr<FileSystem> file_system) {
  return Disk(std::make_unique<Disk::Core>(std::move(chain), access, std::move(file_system)));
}

Result<Disk> Disk::open(const std::filesystem::path& path, const OpenOptions& options) try {
  VDISK_ASSIGN(auto chain, open_chain(path, options));
  return DiskAccess::make(std::move(chain), options.access, file_system_of(options));
} catch (...) {
  return error_of_exception();
}

u64 Disk::size() const {
  return core_->size();
}
Geometry Disk::geometry() const {
  return core_->leaf().geometry();
}
std::size_t Disk::depth() const {
  return core_->layers.size();
}
bool Disk::complete() const {
  return core_->complete;
}

Result<LayerInfo> Disk::layer(std::size_t index) const {
  return core_->ask([&]() -> Result<LayerInfo> {
    VDISK_TRY(check_index(core_->layers, index));
    const Layer& layer = core_->layers[index];
    LayerInfo info{.path = layer.path, .image = layer.image->info(), .dirty = layer.dirty};
    for (const auto* more : {&layer.warnings, &layer.neighbours}) {
      info.image.warnings.insert(info.image.warnings.end(), more->begin(), more->end());
    }
    VDISK_ASSIGN(info.file_size, layer.file->size());
    VDISK_ASSIGN(info.allocated_size, layer.file->allocated_size());
    return info;
  });
}

Result<BlockCounts> Disk::count_blocks(std::size_t index) const {
  return core_->ask([&]() -> Result<BlockCounts> {
    VDISK_TRY(check_index(core_->layers, index));
    return core_->layers[index].image->count_blocks();
  });
}

Status Disk::read(u64 offset, std::span<std::byte> out) const {
  return core_->ask([&] { return core_->read(offset, out); });
}
Status Disk::write(u64 offset, std::span<const std::byte> data) {
  return core_->change([&] { return core_->write(offset, data); });
}
Status Disk::zero(u64 offset, u64 length) {
  return core_->change([&] { return core_->zero(offset, length); });
}
Status Disk::discard(u64 offset, u64 length) {
  return core_->change([&] { return core_->discard(offset, length); });
}
Status Disk::flush() {
  return core_->change([&] { return core_->flush(); });
}
Status Disk::close() {
  if (!core_) return {};
  VDISK_TRY(core_->require_unwatched());
  auto closed = core_->change([&] { return core_->close(); });
  if (!closed && closed.error().code == Errc::busy) return closed;
  core_.reset();  // with its files and their locks
  return closed;
}

Result<MappedExtent> Disk::extent_at(u64 offset, u64 limit) const {
  return core_->ask([&]() -> Result<MappedExtent> {
    if (offset >= size() || limit == 0) {
      return fail(Errc::end_of_file,
                  fmt::format("{}: guest offset {:#x}: no range there, expected one below {:#x}",
                              core_->layers.front().path.string(), offset, size()));
    }
    return core_->resolve(offset, std::min(limit, size() - offset), core_->layers.size());
  });
}

Result<Extent> Disk::layer_extent_at(std::size_t index, u64 offset, u64 limit) const {
  return core_->ask([&]() -> Result<Extent> {
    VDISK_TRY(check_index(core_->layers, index));
    if (offset >= core_->sizes[index] || limit == 0) {
      return fail(Errc::end_of_file, fmt::format("guest offset {:#x}: no range there", offset));
    }
    return core_->layers[index].image->extent_at(offset, limit);
  });
}

File& Disk::layer_file(std::size_t index) const {
  return core_->layers[index].image->file();
}

Result<Extent> Disk::reserve(u64 offset, u64 limit) {
  return core_->change([&]() -> Result<Extent> {
    if (core_->access == Access::read_only) {
      return fail(Errc::write_protected,
                  fmt::format("{}: opened read-only", core_->layers.front().path.string()));
    }
    const InFlight::Request request(core_->in_flight);  // until the place is known to be in use
    auto place = core_->named(core_->leaf().reserve(offset, limit));
    if (place) core_->reservations.add(*place);
    return place;
  });
}

Status Disk::commit(const Extent& written) {
  return core_->change([&]() -> Status {
    if (!core_->reservations.holds(written)) {
      return fail(Errc::invalid_argument,
                  fmt::format("{}: {} bytes at guest offset {:#x}, file offset {:#x}: expected "
                              "what was reserved before, and not committed yet",
                              core_->layers.front().path.string(), written.length, written.offset,
                              written.file_offset));
    }
    VDISK_TRY(core_->commit(written));
    core_->reservations.settle(written);  // only now: until then the place must be nobody else's
    return {};
  });
}

}  // namespace vdisk
