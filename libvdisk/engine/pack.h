/// Packing: giving up blocks whose content nobody can tell from nothing, and moving the others
/// towards the beginning of the file.
#pragma once

#include "engine/disk_core.h"
#include "vdisk/operations.h"
#include "vdisk/progress.h"

namespace vdisk {

class Packing {
 public:
  /// `view` is what the guest reads; `image` holds the leaf's map and may be the leaf itself, or
  /// the same image on a rehearsed copy of the file. Requires image.block_store().
  Packing(const Disk::Core& view, Image& image, Compacted& result, Progress& progress);

  /// Crash, cancel: every block is where the map on disk says. Does not close the image.
  Status run();

 private:
  /// Whether a range reads as zeros.
  enum class Answer { yes, no, unknown };

  Status give_up_zero_blocks();
  Status consider(const StoredBlock& block);
  [[nodiscard]] Result<bool> stores_anything(const StoredBlock& block) const;
  [[nodiscard]] Result<Answer> reads_zero(const StoredBlock& block, std::size_t first_layer);
  [[nodiscard]] Result<bool> holds_zeros(const MappedExtent& extent);
  Status count_given_up(const StoredBlock& block);
  Status move_blocks();
  Status move_round();
  Status move(const BlockMove& block);
  Status settle();

  const Disk::Core& view_;
  Image& image_;
  BlockStore& store_;
  Compacted& result_;
  Progress& progress_;
  u64 expected_moves_ = 0;  ///< bytes that the progress was told of and not yet advanced by
  u64 unsettled_bytes_ = 0;
  std::vector<std::byte> buffer_;
};

/// Gives runs of zeros in what the image stores back to the host. The content stays.
Status punch_zeros(Image& image, Progress& progress);

}  // namespace vdisk
