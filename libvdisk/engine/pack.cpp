/// The two halves of a compaction: look at every stored block, then move the last ones.
#include "engine/pack.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "engine/content.h"

namespace vdisk {

namespace {

/// Most blocks that hold data show it at once: reading begins with this much, and doubles.
constexpr u64 first_look = 4 * kib;
/// So much payload moves between two flushes.
constexpr u64 epoch_bytes = gib;
/// Zeros are given back to the host in units of this size, the page of its file systems.
constexpr u64 punch_unit = 4 * kib;

}  // namespace

Packing::Packing(const Disk::Core& view, Image& image, Compacted& result, Progress& progress)
    : view_(view),
      image_(image),
      store_(*image.block_store()),
      result_(result),
      progress_(progress),
      buffer_(piece_size) {}

Status Packing::run() {
  VDISK_ASSIGN(const UnusedSpace unused, store_.unused_space());
  result_.unused_bytes = unused.inside;
  result_.tail_bytes = unused.at_end;
  VDISK_TRY(give_up_zero_blocks());
  VDISK_TRY(store_.give_up_unused());
  VDISK_TRY(settle());
  return move_blocks();
}

Status Packing::give_up_zero_blocks() {
  VDISK_ASSIGN(const BlockCounts counts, image_.count_blocks());
  const u64 block_size = image_.geometry().block_size;
  result_.stored_blocks = counts.allocated;
  progress_.phase("scan");
  progress_.expect(std::max<u64>(counts.allocated * block_size, 1));
  for (u64 offset = 0;;) {
    VDISK_ASSIGN(const auto block, store_.next_block(offset));
    if (!block) return {};
    VDISK_TRY(consider(*block));
    offset = block->offset + block->length;
    VDISK_TRY(progress_.advance(block_size));
  }
}

Status Packing::consider(const StoredBlock& block) {
  VDISK_ASSIGN(const bool stores_anything_here, stores_anything(block));
  if (!stores_anything_here) {
    VDISK_ASSIGN(const bool gone, store_.give_up(block.offset, State::absent));
    return gone ? count_given_up(block) : Status();
  }
  VDISK_ASSIGN(const Answer zero, reads_zero(block, 0));
  if (zero == Answer::unknown) ++result_.unknown_blocks;
  if (zero != Answer::yes) return {};
  VDISK_ASSIGN(bool gone, store_.give_up(block.offset, State::zero));
  if (!gone) {
    // The map cannot say zero: the parents have to.
    VDISK_ASSIGN(const Answer below, reads_zero(block, 1));
    if (below == Answer::yes) {
      VDISK_ASSIGN(gone, store_.give_up(block.offset, State::absent));
    }
  }
  if (gone) return count_given_up(block);
  ++result_.kept_zero_blocks;
  return {};
}

Status Packing::count_given_up(const StoredBlock& block) {
  ++result_.zero_blocks;
  result_.zero_block_bytes += block.file_bytes;
  return {};
}

/// False: the block is kept, but no sector of it is this file's.
Result<bool> Packing::stores_anything(const StoredBlock& block) const {
  const Image& leaf = view_.leaf();
  for (u64 done = 0; done < block.length;) {
    VDISK_ASSIGN(const auto extent, leaf.extent_at(block.offset + done, block.length - done));
    if (extent.state != State::absent) return true;
    done += extent.length;
  }
  return false;
}

/// What layers from `first_layer` on show.
Result<Packing::Answer> Packing::reads_zero(const StoredBlock& block, std::size_t first_layer) {
  bool known = true;
  for (u64 done = 0; done < block.length;) {
    VDISK_ASSIGN(const auto extent, view_.resolve(block.offset + done, block.length - done,
                                                  view_.layers.size(), first_layer));
    known = known && (extent.state != State::absent || view_.complete);
    if (extent.state == State::data) {
      VDISK_ASSIGN(const bool zeros, holds_zeros(extent));
      if (!zeros) return Answer::no;
    }
    done += extent.length;
  }
  return known ? Answer::yes : Answer::unknown;
}

Result<bool> Packing::holds_zeros(const MappedExtent& extent) {
  const File& file = view_.layers[extent.depth].image->file();
  const u64 end = extent.file_offset + extent.length;
  u64 look = first_look;
  for (u64 offset = extent.file_offset; offset < end;) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(offset));
    if (hole.length != 0 && hole.offset == offset) {
      offset += std::min(hole.length, end - offset);
      continue;
    }
    const auto piece = std::span(buffer_).first(std::min(look, end - offset));
    VDISK_TRY(file.read_at(offset, piece));
    if (!is_zero(piece)) return false;
    offset += piece.size();
    look = std::min<u64>(2 * look, buffer_.size());
  }
  return true;
}

Status Packing::move_blocks() {
  VDISK_ASSIGN(const UnusedSpace unused, store_.unused_space());
  if (unused.inside == 0) return {};
  progress_.phase("move");
  progress_.expect(unused.inside);
  expected_moves_ = unused.inside;
  for (;;) {
    const u64 moved_before = result_.moved_blocks;
    VDISK_TRY(move_round());
    VDISK_TRY(settle());
    // What this round freed may have made room for more.
    if (result_.moved_blocks == moved_before) return {};
  }
}

Status Packing::move_round() {
  for (;;) {
    VDISK_ASSIGN(const auto planned, store_.plan_move());
    if (!planned) return {};
    VDISK_TRY(move(*planned));
    if (unsettled_bytes_ >= epoch_bytes) VDISK_TRY(settle());
  }
}

Status Packing::move(const BlockMove& block) {
  File& file = image_.file();
  VDISK_TRY(file.copy_from(file, block.from, block.to, block.length));
  VDISK_TRY(store_.commit_move(block));
  ++result_.moved_blocks;
  unsettled_bytes_ += block.length;
  const u64 advanced = std::min(expected_moves_, block.length);
  expected_moves_ -= advanced;
  return progress_.advance(advanced);
}

/// What was given up so far is free afterwards.
Status Packing::settle() {
  unsettled_bytes_ = 0;
  VDISK_TRY(image_.flush());
  image_.reclaim();
  // Some formats need another flush until no older map can come back.
  VDISK_TRY(image_.flush());
  image_.reclaim();
  return {};
}

namespace {

/// The zeros of one piece of a file, in whole units of the file.
class ZeroRuns {
 public:
  ZeroRuns(File& file, u64 offset, std::span<const std::byte> piece)
      : file_(file), offset_(offset), piece_(piece) {}

  Status punch() const {
    u64 begin = round_up(offset_, punch_unit);
    const u64 end = round_down(offset_ + piece_.size(), punch_unit);
    while (begin < end) {
      const u64 run_end = end_of_run(begin, end);
      if (run_end > begin) VDISK_TRY(file_.punch_at(begin, run_end - begin));
      begin = run_end + punch_unit;
    }
    return {};
  }

 private:
  [[nodiscard]] u64 end_of_run(u64 at, u64 end) const {
    while (at < end && is_zero(piece_.subspan(at - offset_, punch_unit))) at += punch_unit;
    return at;
  }

  File& file_;
  u64 offset_;
  std::span<const std::byte> piece_;
};

Status punch_extent(File& file, const Extent& extent, std::span<std::byte> buffer) {
  const u64 end = extent.file_offset + extent.length;
  for (u64 offset = extent.file_offset; offset < end;) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(offset));
    if (hole.length != 0 && hole.offset == offset) {
      offset += std::min(hole.length, end - offset);
      continue;
    }
    const u64 stop = round_down(offset + buffer.size(), punch_unit);
    const auto piece = buffer.first(std::min(stop, end) - offset);
    VDISK_TRY(file.read_at(offset, piece));
    VDISK_TRY(ZeroRuns(file, offset, piece).punch());
    offset += piece.size();
  }
  return {};
}

}  // namespace

Status punch_zeros(Image& image, Progress& progress) {
  const u64 size = image.geometry().virtual_size;
  std::vector<std::byte> buffer(piece_size);
  progress.phase("punch");
  progress.expect(size);
  for (u64 offset = 0; offset < size;) {
    VDISK_ASSIGN(const Extent extent, image.extent_at(offset, std::min(size - offset, 16 * mib)));
    if (extent.state == State::data) VDISK_TRY(punch_extent(image.file(), extent, buffer));
    offset += extent.length;
    VDISK_TRY(progress.advance(extent.length));
  }
  return {};
}

}  // namespace vdisk
