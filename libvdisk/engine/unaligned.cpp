/// Writes of any alignment: whole sectors go straight through, edge sectors are read first.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "vdisk/disk.h"

namespace vdisk {

namespace {

/// A range cut at sector borders: an edge inside the first sector, whole sectors, the rest.
struct Cut {
  u64 head = 0;
  u64 body = 0;
  u64 tail = 0;
};

Cut cut_at_sectors(u64 offset, u64 length, u64 sector) {
  Cut cut;
  if (!is_aligned(offset, sector)) cut.head = std::min(length, sector - offset % sector);
  cut.body = round_down(length - cut.head, sector);
  cut.tail = length - cut.head - cut.body;
  return cut;
}

/// Changes a part of one sector; `fill` gets the bytes to change.
template <class Fill>
Status rewrite_sector(Disk& disk, u64 offset, u64 length, const Fill& fill) {
  if (length == 0) return {};
  const u64 sector = disk.geometry().logical_sector_size;
  const u64 start = round_down(offset, sector);
  std::vector<std::byte> content(sector);
  VDISK_TRY(disk.read(start, content));
  fill(std::span(content).subspan(offset - start, length));
  return disk.write(start, content);
}

Status check_end(const Disk& disk, u64 offset, u64 length) {
  if (lies_within(offset, length, 0, disk.size())) return {};
  return fail(Errc::end_of_file, "guest range reaches behind the end of the disk");
}

}  // namespace

Status write_unaligned(Disk& disk, u64 offset, std::span<const std::byte> data) try {
  VDISK_TRY(check_end(disk, offset, data.size()));
  const Cut cut = cut_at_sectors(offset, data.size(), disk.geometry().logical_sector_size);
  const auto copy = [&data](std::span<std::byte> into) {
    std::memcpy(into.data(), data.data(), into.size());
    data = data.subspan(into.size());
  };
  VDISK_TRY(rewrite_sector(disk, offset, cut.head, copy));
  offset += cut.head;
  if (cut.body > 0) VDISK_TRY(disk.write(offset, data.first(cut.body)));
  data = data.subspan(cut.body);
  return rewrite_sector(disk, offset + cut.body, cut.tail, copy);
} catch (...) {
  return error_of_exception();
}

Status zero_unaligned(Disk& disk, u64 offset, u64 length) try {
  VDISK_TRY(check_end(disk, offset, length));
  const Cut cut = cut_at_sectors(offset, length, disk.geometry().logical_sector_size);
  const auto clear = [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{}); };
  VDISK_TRY(rewrite_sector(disk, offset, cut.head, clear));
  offset += cut.head;
  if (cut.body > 0) VDISK_TRY(disk.zero(offset, cut.body));
  return rewrite_sector(disk, offset + cut.body, cut.tail, clear);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
