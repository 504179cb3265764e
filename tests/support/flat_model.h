/// A window of the guest's disk as flat bytes: the model that a Disk is compared with.
///
/// It knows no format and no chain. A window lets a test stand at a chunk boundary of a disk of
/// many GiB; everything before the window is never written and must read as zeros.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "vdisk/disk.h"

namespace vdisk::test {

class FlatModel {
 public:
  /// A disk of `size` bytes that reads as zeros; only [window, size) will be written.
  FlatModel(u64 size, u64 window) : window_(window), bytes_(size - window) {}

  [[nodiscard]] u64 window() const { return window_; }
  [[nodiscard]] u64 size() const { return window_ + bytes_.size(); }

  void write(u64 offset, std::span<const std::byte> data);
  void zero(u64 offset, u64 length);
  /// New bytes are zeros.
  void resize(u64 size) { bytes_.resize(size - window_); }

  /// How the disk differs from the model in a range; empty when it does not.
  [[nodiscard]] std::string difference(const Disk& disk, u64 offset, u64 length) const;
  /// The same for the whole disk: size, content of the window, and a map that fits the content.
  [[nodiscard]] std::string difference(const Disk& disk) const;
  /// After a discard each sector must hold what it held, or zeros; the model takes what is there.
  [[nodiscard]] std::string adopt_discarded(const Disk& disk, u64 offset, u64 length, u64 sector);

 private:
  [[nodiscard]] std::string map_difference(const Disk& disk) const;
  [[nodiscard]] std::span<const std::byte> at(u64 offset, u64 length) const {
    return std::span(bytes_).subspan(offset - window_, length);
  }

  u64 window_;
  std::vector<std::byte> bytes_;
};

}  // namespace vdisk::test
