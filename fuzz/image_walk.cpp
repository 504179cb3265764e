#include "fuzz/image_walk.h"

#include <algorithm>

#include "base/bytes.h"
#include "fuzz/promise.h"

namespace vdisk::fuzz {

namespace {

/// Enough to see every state of a small image; claims of a header do not lengthen the walk.
constexpr int longest_walk = 512;
constexpr u64 probe_head = 512;
constexpr u64 probe_tail = 1024;
constexpr u64 payload_limit = 128 * kib;
constexpr std::size_t sample_size = 512;
constexpr u64 largest_growth = 64 * mib;

std::shared_ptr<MemoryFile> copy_of(const SparseInput& input) {
  return input.file->clone();
}

u64 size_of(const File& file) {
  return file.size().value_or(0);
}

void probe(const Format& format, const File& file) {
  const u64 size = size_of(file);
  std::vector<std::byte> head(std::min(size, probe_head));
  std::vector<std::byte> tail(std::min(size, probe_tail));
  (void)file.read_at(0, head);
  (void)file.read_at(size - tail.size(), tail);
  (void)format.probe({head, tail, size});
}

/// Findings and structures have names, whatever the file holds.
void report(const Format& format, const File& file) {
  CheckReport found;
  (void)format.check(file, found);
  for (const Finding& finding : found.findings) {
    require(!finding.id.empty() && !finding.message.empty(), "a finding without id or message");
  }
  (void)format.dump(file, [](const Structure& structure) -> Status {
    require(!structure.name.empty(), "a structure without a name");
    return {};
  });
}

/// Replays a dirty log; false when the file is refused.
bool recover(const Format& format, File& file) {
  const auto dirty = format.needs_recovery(file);
  if (!dirty) return false;
  if (!*dirty) return true;
  if (!format.recover(file)) return false;
  const auto still_dirty = format.needs_recovery(file);
  require(still_dirty.has_value() && !*still_dirty, "the log is dirty after its replay");
  return true;
}

std::unique_ptr<Image> open(const Format& format, std::shared_ptr<File> file, Access access) {
  ImageOptions options;
  options.access = access;
  auto image = format.open(std::move(file), options);
  return image ? std::move(*image) : nullptr;
}

void require_inside(const Extent& extent, u64 offset, u64 limit, u64 disk_size) {
  require(extent.offset == offset, "an extent does not begin where it was asked for");
  require(extent.length != 0 && extent.length <= limit, "an extent is empty or over its limit");
  require(lies_within(extent.offset, extent.length, 0, disk_size), "an extent leaves the disk");
}

void touch(const File& file, const Extent& extent) {
  if (extent.state != State::data) return;
  std::vector<std::byte> sample(std::min<u64>(extent.length, sample_size));
  (void)file.read_at(extent.file_offset, sample);
  (void)file.read_at(extent.file_offset + extent.length - sample.size(), sample);
}

/// Walks the map from the start; what cannot be read is stepped over.
void read_map(const Image& image) {
  const Geometry geometry = image.geometry();
  const u64 step = std::max<u64>(geometry.block_size, geometry.logical_sector_size);
  u64 offset = 0;
  for (int count = 0; count < longest_walk && offset < geometry.virtual_size; ++count) {
    const u64 limit = geometry.virtual_size - offset;
    const auto extent = image.extent_at(offset, limit);
    if (!extent) {
      offset = std::min(geometry.virtual_size, round_down(offset, step) + step);
      continue;
    }
    require_inside(*extent, offset, limit, geometry.virtual_size);
    touch(image.file(), *extent);
    offset += extent->length;
  }
  (void)image.info();
  (void)image.count_blocks();
  (void)image.content_id();
}

struct Range {
  u64 offset = 0;
  u64 length = 0;
};

Range range_of(const Operation& operation, const Geometry& geometry) {
  const u64 sector = geometry.logical_sector_size;
  const u64 disk_sectors = geometry.virtual_size / sector;
  const u64 first =
      disk_sectors / 65536 * operation.position + disk_sectors % 65536 * operation.position / 65536;
  const u64 count = std::min<u64>(operation.sectors + u64{1}, disk_sectors - first);
  return {first * sector, count * sector};
}

void write(Image& image, const Range& range) {
  const auto place = image.reserve(range.offset, range.length);
  if (!place) return;
  require_inside(*place, range.offset, range.length, image.geometry().virtual_size);
  require(place->state == State::data, "a reserved extent is not data");
  const std::vector<std::byte> payload(std::min(place->length, payload_limit), std::byte{0x5a});
  if (!image.file().write_at(place->file_offset, payload)) return;
  Extent written = *place;
  written.length = payload.size();
  if (!image.commit(written)) return;
  const auto seen = image.extent_at(written.offset, written.length);
  require(seen.has_value() && seen->state == State::data, "a committed extent is not data");
}

void discard(Image& image, const Range& range, State to) {
  const auto dealt_with = image.discard(range.offset, range.length, to);
  require(!dealt_with || *dealt_with <= range.length, "more was discarded than asked for");
}

void apply(Image& image, const Operation& operation) {
  const Geometry geometry = image.geometry();
  if (geometry.virtual_size < geometry.logical_sector_size) return;
  const Range range = range_of(operation, geometry);
  const Range block{round_down(range.offset, std::max<u64>(geometry.block_size, 512)),
                    std::max<u64>(geometry.block_size, 512)};
  const Range whole{block.offset, std::min(block.length, geometry.virtual_size - block.offset)};
  switch (operation.kind % 8) {
    case 0: break;
    case 1: write(image, range); break;
    case 2: write(image, whole); break;
    case 3: discard(image, whole, State::zero); break;
    case 4: discard(image, whole, State::absent); break;
    case 5: discard(image, range, State::zero); break;
    case 6:
      if (image.flush()) image.reclaim();
      break;
    default:
      (void)image.expand(
          geometry.virtual_size +
          round_down(largest_growth / 65536 * operation.position, geometry.logical_sector_size));
  }
}

void write_and_reopen(const Format& format, const SparseInput& input) {
  const auto file = copy_of(input);
  if (!recover(format, *file)) return;
  auto image = open(format, file, Access::read_write);
  if (image == nullptr) return;
  for (const Operation& operation : input.operations) apply(*image, operation);
  const bool closed = image->close().has_value();
  image.reset();
  if (!closed) return;
  const auto dirty = format.needs_recovery(*file);
  require_success(dirty, "after a clean close");
  require(!*dirty, "the log is dirty after a clean close");
  const auto reopened = format.open(file, ImageOptions{});
  require_success(reopened, "does not open after a clean close");
  read_map(**reopened);
}

}  // namespace

void walk(const Format& format, const SparseInput& input) {
  probe(format, *input.file);
  report(format, *input.file);
  const auto file = copy_of(input);
  if (recover(format, *file)) {
    const u64 size = size_of(*file);
    if (const auto image = open(format, file, Access::read_only)) read_map(*image);
    require(size_of(*file) == size, "a read-only image changed the size of its file");
  }
  write_and_reopen(format, input);
}

}  // namespace vdisk::fuzz
