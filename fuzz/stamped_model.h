/// A disk as one stamp for each 512-byte sector, and what a power failure may make of it.
///
/// A sector's bytes tell its number and its stamp, so that a sector that ends up in another place
/// or half of two writes is seen for what it is. Stamp 0 is a sector of zeros.
#pragma once

#include <map>
#include <vector>

#include "vdisk/disk.h"

namespace vdisk::fuzz {

class StampedModel {
 public:
  explicit StampedModel(u64 size) : stamps_(size / sector_size) {}

  static constexpr u64 sector_size = 512;
  [[nodiscard]] u64 size() const { return stamps_.size() * sector_size; }
  [[nodiscard]] u16 at(u64 sector) const { return stamps_[sector]; }
  [[nodiscard]] static std::vector<std::byte> bytes(u64 offset, u64 length, u16 stamp);

  /// The bytes were, or are being, written; they may be lost until flushed().
  void write(u64 offset, u64 length, u16 stamp);
  /// Each sector may now hold what it held, or zeros; adopt() tells which.
  void discard(u64 offset, u64 length);
  void flushed() { volatile_.clear(); }
  void grow(u64 size) { stamps_.resize(size / sector_size); }

  /// The disk must hold exactly this.
  void require_same(const Disk& disk) const;
  /// The disk must hold in each sector one of the values that it may hold; these are it from now
  /// on.
  void adopt(const Disk& disk);
  /// The same for a range, while the other values stay possible after a power failure.
  void adopt_range(const Disk& disk, u64 offset, u64 length);

 private:
  [[nodiscard]] bool may_hold(u64 sector, u16 stamp) const;

  std::vector<u16> stamps_;
  std::map<u64, std::vector<u16>> volatile_;  ///< sector -> other values that it may still hold
};

}  // namespace vdisk::fuzz
