#include "support/flat_model.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace vdisk::test {
namespace {

bool is_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

void FlatModel::write(u64 offset, std::span<const std::byte> data) {
  std::ranges::copy(data, bytes_.begin() + static_cast<std::ptrdiff_t>(offset - window_));
}

void FlatModel::zero(u64 offset, u64 length) {
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset - window_), length, std::byte{0});
}

std::string FlatModel::difference(const Disk& disk, u64 offset, u64 length) const {
  std::vector<std::byte> actual(length);
  if (const auto status = disk.read(offset, actual); !status) {
    return fmt::format("read of {:#x}+{:#x}: {}", offset, length, status.error().message);
  }
  const auto expected = at(offset, length);
  if (length == 0 || std::memcmp(actual.data(), expected.data(), length) == 0) return {};
  const auto [a, e] = std::ranges::mismatch(actual, expected);
  return fmt::format("at {:#x}: {:#04x}, expected {:#04x}",
                     offset + static_cast<u64>(a - actual.begin()), static_cast<unsigned>(*a),
                     static_cast<unsigned>(*e));
}

std::string FlatModel::difference(const Disk& disk) const {
  if (disk.size() != size()) return fmt::format("size {}, expected {}", disk.size(), size());
  if (auto text = difference(disk, window_, bytes_.size()); !text.empty()) return text;
  return map_difference(disk);
}

std::string FlatModel::map_difference(const Disk& disk) const {
  for (u64 offset = 0; offset < size();) {
    const auto extent = disk.extent_at(offset, size() - offset);
    if (!extent) return fmt::format("map at {:#x}: {}", offset, extent.error().message);
    const u64 end = extent->offset + extent->length;
    if (extent->offset != offset || extent->length == 0 || end > size()) {
      return fmt::format("map at {:#x}: extent {:#x}+{:#x}", offset, extent->offset,
                         extent->length);
    }
    if (extent->state == State::data && end <= window_) {
      return fmt::format("map at {:#x}: data where nothing was written", offset);
    }
    const u64 from = std::max(offset, window_);
    if (extent->state != State::data && end > from && !is_zero(at(from, end - from))) {
      return fmt::format("map at {:#x}+{:#x}: no data where there is some", offset, extent->length);
    }
    offset = end;
  }
  return {};
}

std::string FlatModel::adopt_discarded(const Disk& disk, u64 offset, u64 length, u64 sector) {
  std::vector<std::byte> now(length);
  if (const auto status = disk.read(offset, now); !status) return status.error().message;
  for (u64 done = 0; done < length; done += sector) {
    const auto piece = std::span(now).subspan(done, sector);
    if (is_zero(piece) || std::ranges::equal(piece, at(offset + done, sector))) continue;
    return fmt::format("discarded sector at {:#x} is neither zero nor as it was", offset + done);
  }
  write(offset, now);
  return {};
}

}  // namespace vdisk::test
