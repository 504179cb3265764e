#include "fuzz/stamped_model.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include <boost/endian/buffers.hpp>

#include "base/bytes.h"
#include "fuzz/promise.h"

namespace vdisk::fuzz {

namespace {

constexpr std::size_t word_size = 8;
constexpr int stamp_shift = 48;
constexpr u64 piece_size = 256 * kib;

u64 word_of(u64 sector, u16 stamp) {
  return stamp == 0 ? 0 : u64{stamp} << stamp_shift | sector;
}

/// The stamp of a sector's bytes; anything that is no stamp of this sector is a broken promise.
u16 stamp_of(u64 sector, std::span<const std::byte> bytes) {
  using Word = boost::endian::little_uint64_buf_t;
  const u64 first = load<Word>(bytes).value();
  const auto stamp = static_cast<u16>(first >> stamp_shift);
  // Every word is the same: the first is right, and each equals the one behind it.
  const bool whole =
      first == word_of(sector, stamp) &&
      std::memcmp(bytes.data(), bytes.data() + word_size, bytes.size() - word_size) == 0;
  if (!whole) broken("sector " + std::to_string(sector) + " holds bytes that nobody wrote there");
  return stamp;
}

using Visitor = std::function<void(u64 sector, u16 stamp)>;

void read_data(const Disk& disk, u64 offset, u64 length, const Visitor& visit) {
  std::vector<std::byte> buffer(piece_size);
  for (u64 done = 0; done < length; done += piece_size) {
    const auto piece = std::span(buffer).first(std::min(piece_size, length - done));
    require_success(disk.read(offset + done, piece), "read");
    for (u64 at = 0; at < piece.size(); at += StampedModel::sector_size) {
      const u64 sector = (offset + done + at) / StampedModel::sector_size;
      visit(sector, stamp_of(sector, piece.subspan(at, StampedModel::sector_size)));
    }
  }
}

/// What the map calls zero or absent is not read: it counts as zeros.
void read_stamps(const Disk& disk, u64 offset, u64 length, const Visitor& visit) {
  const u64 end = offset + length;
  while (offset < end) {
    const auto run = disk.extent_at(offset, end - offset);
    require_success(run, "extent");
    if (run->state == State::data) {
      read_data(disk, offset, run->length, visit);
    } else {
      for (u64 at = 0; at < run->length; at += StampedModel::sector_size) {
        visit((offset + at) / StampedModel::sector_size, 0);
      }
    }
    offset += run->length;
  }
}

}  // namespace

std::vector<std::byte> StampedModel::bytes(u64 offset, u64 length, u16 stamp) {
  std::vector<std::byte> data(length);
  for (u64 at = 0; at < length; at += word_size) {
    const u64 word = word_of((offset + at) / sector_size, stamp);
    store(std::span(data).subspan(at), boost::endian::little_uint64_buf_t(word));
  }
  return data;
}

void StampedModel::write(u64 offset, u64 length, u16 stamp) {
  for (u64 sector = offset / sector_size; sector < (offset + length) / sector_size; ++sector) {
    volatile_[sector].push_back(stamps_[sector]);
    stamps_[sector] = stamp;
  }
}

void StampedModel::discard(u64 offset, u64 length) {
  for (u64 sector = offset / sector_size; sector < (offset + length) / sector_size; ++sector) {
    volatile_[sector].push_back(0);
  }
}

bool StampedModel::may_hold(u64 sector, u16 stamp) const {
  if (stamps_[sector] == stamp) return true;
  const auto others = volatile_.find(sector);
  return others != volatile_.end() &&
         std::ranges::find(others->second, stamp) != others->second.end();
}

void StampedModel::require_same(const Disk& disk) const {
  require(disk.size() == size(), "the disk has another size");
  read_stamps(disk, 0, size(), [this](u64 sector, u16 stamp) {
    if (stamps_[sector] == stamp) return;
    broken("sector " + std::to_string(sector) + " holds " + std::to_string(stamp) + ", expected " +
           std::to_string(stamps_[sector]));
  });
}

void StampedModel::adopt(const Disk& disk) {
  require(disk.size() == size(), "the disk has another size");
  adopt_range(disk, 0, size());
  volatile_.clear();
}

void StampedModel::adopt_range(const Disk& disk, u64 offset, u64 length) {
  read_stamps(disk, offset, length, [this](u64 sector, u16 stamp) {
    if (stamps_[sector] == stamp) return;
    if (!may_hold(sector, stamp)) {
      broken("sector " + std::to_string(sector) + " holds " + std::to_string(stamp) +
             ", which was flushed over");
    }
    volatile_[sector].push_back(stamps_[sector]);
    stamps_[sector] = stamp;
  });
}

}  // namespace vdisk::fuzz
