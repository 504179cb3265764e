/// The guest's view: resolving through the chain, reading, writing, flushing.
#include "engine/disk_core.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk {

/// A change of the guest's content, while it is made: tells the watcher in the end, whatever came
/// of it. Nobody waits for a change that is held up: it is not in flight.
class Disk::Core::Changing {
 public:
  Changing(Core& core, u64 offset, u64 length)
      : changes_(core.changes), offset_(offset), length_(length), request_(core.in_flight) {
    for (entry_ = changes_.enter(); entry_ == ChangeWatch::Entry::refused;
         entry_ = changes_.enter()) {
      request_.end();
      changes_.wait_until_released();
      request_.begin(core.in_flight);
    }
  }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;
  ~Changing() { changes_.leave(entry_, offset_, length_); }

 private:
  ChangeWatch& changes_;
  u64 offset_;
  u64 length_;
  InFlight::Request request_;
  ChangeWatch::Entry entry_ = ChangeWatch::Entry::unwatched;
};

Disk::Core::Core(Chain opened, Access wanted, std::shared_ptr<FileSystem> names)
    : file_system(std::move(names)),
      layers(std::move(opened.layers)),
      complete(opened.complete),
      access(wanted) {
  sizes.reserve(layers.size());
  for (const Layer& layer : layers) sizes.push_back(layer.image->geometry().virtual_size);
}

Result<MappedExtent> Disk::Core::resolve(u64 offset, u64 limit, std::size_t layers_end,
                                         std::size_t layers_begin) const {
  MappedExtent found{.offset = offset, .length = limit};
  for (std::size_t depth = layers_begin; depth < layers_end; ++depth) {
    if (offset >= sizes[depth]) {
      found.state = State::zero;
      found.depth = depth;
      return found;
    }
    auto extent = layers[depth].image->extent_at(offset, found.length);
    if (!extent) return std::unexpected(at_path(layers[depth].path, std::move(extent).error()));
    found.length = std::min(found.length, extent->length);
    if (extent->state == State::absent) continue;
    found.state = extent->state;
    found.file_offset = extent->file_offset;
    found.depth = depth;
    return found;
  }
  return found;
}

Status Disk::Core::read(u64 offset, std::span<std::byte> out) const {
  VDISK_TRY(check_range(offset, out.size()));
  const InFlight::Request request(in_flight);
  while (!out.empty()) {
    VDISK_ASSIGN(const auto extent, resolve(offset, out.size(), layers.size()));
    const auto piece = out.first(static_cast<std::size_t>(extent.length));
    VDISK_TRY(read_extent(extent, piece));
    out = out.subspan(piece.size());
    offset += piece.size();
  }
  return {};
}

Status Disk::Core::read_extent(const MappedExtent& extent, std::span<std::byte> out) const {
  if (extent.state == State::data) {
    return layers[extent.depth].image->file().read_at(extent.file_offset, out);
  }
  if (extent.state == State::absent && !complete) {
    return fail(Errc::parent_not_found,
                fmt::format("{}: guest offset {:#x}: stored in the parent, which was not opened",
                            layers.back().path.string(), extent.offset));
  }
  std::memset(out.data(), 0, out.size());
  return {};
}

Status Disk::Core::write(u64 offset, std::span<const std::byte> data) {
  VDISK_TRY(check_writable(offset, data.size()));
  const Changing changing(*this, offset, data.size());
  while (!data.empty()) {
    VDISK_ASSIGN(const auto place, named(leaf().reserve(offset, data.size())));
    const auto piece = data.first(static_cast<std::size_t>(place.length));
    VDISK_TRY(leaf().file().write_at(place.file_offset, piece));
    VDISK_TRY(named(leaf().commit(place)));
    data = data.subspan(piece.size());
    offset += piece.size();
  }
  return {};
}

Status Disk::Core::zero(u64 offset, u64 length) {
  VDISK_TRY(check_writable(offset, length));
  const Changing changing(*this, offset, length);
  while (length > 0) {
    VDISK_ASSIGN(const u64 done, zero_step(offset, length));
    offset += done;
    length -= done;
  }
  return {};
}

/// Zeroes a part at `offset` in the cheapest way that holds; its length.
Result<u64> Disk::Core::zero_step(u64 offset, u64 length) {
  VDISK_ASSIGN(const auto extent, resolve(offset, length, layers.size()));
  // Without its parents nobody can know what an absent range holds.
  const bool reads_zero =
      extent.state == State::zero || (extent.state == State::absent && complete);
  if (reads_zero) return extent.length;
  space_was_freed = true;
  VDISK_ASSIGN(const u64 dropped, named(leaf().discard(offset, length, State::zero)));
  if (dropped > 0) return dropped;
  return zero_stored(offset, std::min(extent.length, until_block_end(offset)));
}

/// Stores zeros where the map cannot say so.
Result<u64> Disk::Core::zero_stored(u64 offset, u64 length) {
  VDISK_ASSIGN(const auto place, named(leaf().reserve(offset, length)));
  VDISK_TRY(leaf().file().zero_at(place.file_offset, place.length));
  VDISK_TRY(named(leaf().commit(place)));
  return place.length;
}

Status Disk::Core::discard(u64 offset, u64 length) {
  VDISK_TRY(check_writable(offset, length));
  const Changing changing(*this, offset, length);
  space_was_freed = true;
  while (length > 0) {
    VDISK_ASSIGN(const u64 dropped, named(leaf().discard(offset, length, State::absent)));
    // What the map cannot express keeps its bytes: the promise allows it.
    const u64 step = dropped > 0 ? dropped : std::min(length, until_block_end(offset));
    offset += step;
    length -= step;
  }
  return {};
}

Status Disk::Core::commit(const Extent& written) {
  const Changing changing(*this, written.offset, written.length);
  return named(leaf().commit(written));
}

u64 Disk::Core::until_block_end(u64 offset) const {
  const u64 block_size = leaf().geometry().block_size;
  return block_size == 0 ? size() - offset : block_size - offset % block_size;
}

Status Disk::Core::flush() {
  if (access == Access::read_only) return {};
  return flushes.run([this] { return flush_leaf(); });
}

Status Disk::Core::flush_leaf() {
  const bool freed = space_was_freed.exchange(false);
  auto flushed = named(leaf().flush());
  if (!flushed || !freed) return flushed;
  in_flight.wait_for_earlier();
  if (reservations.any()) {  // the next flush gives it back
    space_was_freed = true;
    return {};
  }
  leaf().reclaim();
  return {};
}

Status Disk::Core::close() {
  if (access == Access::read_only) return {};
  VDISK_TRY(flush());
  return named(leaf().close());
}

Status Disk::Core::expand(u64 new_size) {
  return change([&]() -> Status {
    VDISK_TRY(require_unwatched());
    VDISK_TRY(named(leaf().expand(new_size)));
    sizes.front() = leaf().geometry().virtual_size;
    return {};
  });
}

Status Disk::Core::shrink(u64 new_size) {
  return change([&]() -> Status {
    VDISK_TRY(require_unwatched());
    VDISK_TRY(named(leaf().shrink(new_size)));
    sizes.front() = leaf().geometry().virtual_size;
    space_was_freed = true;
    return {};
  });
}

Status Disk::Core::watch_changes(ChangeWatch::Watcher& watcher) {
  if (!changes.attach(watcher)) return require_unwatched();
  in_flight.wait_for_earlier();
  return {};
}

Status Disk::Core::require_unwatched() const {
  if (!changes.watched()) return {};
  return fail(Errc::operation_in_progress,
              fmt::format("{}: is being mirrored", layers.front().path.string()));
}

std::unexpected<Error> Disk::Core::refuse_nested() const {
  return fail(Errc::busy, fmt::format("{}: called by a file that serves another call of this disk",
                                      layers.front().path.string()));
}

std::unexpected<Error> Disk::Core::refuse_change() const {
  return fail(Errc::poisoned,
              fmt::format("{}: an earlier change was broken off: nothing more is written",
                          layers.front().path.string()));
}

Status Disk::Core::check_range(u64 offset, u64 length) const {
  if (lies_within(offset, length, 0, size())) return {};
  return fail(Errc::end_of_file,
              fmt::format("{}: guest range of {} bytes at {:#x}: behind the end, expected at most "
                          "{:#x}",
                          layers.front().path.string(), length, offset, size()));
}

Status Disk::Core::check_writable(u64 offset, u64 length) const {
  const std::string path = layers.front().path.string();
  if (access == Access::read_only) {
    return fail(Errc::write_protected, fmt::format("{}: opened read-only", path));
  }
  VDISK_TRY(check_range(offset, length));
  const u64 sector = leaf().geometry().logical_sector_size;
  if (is_aligned(offset, sector) && is_aligned(length, sector)) return {};
  return fail(Errc::invalid_argument,
              fmt::format("{}: guest range of {} bytes at {:#x}, expected multiples of {} bytes",
                          path, length, offset, sector));
}

}  // namespace vdisk
