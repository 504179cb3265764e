#include "engine/move_layers.h"

#include <algorithm>
#include <vector>

#include "base/checksum.h"
#include "base/same_bytes.h"
#include "base/try.h"
#include "engine/content.h"

namespace vdisk {

namespace {

/// A multiple of every block size, so that blocks that are zero as a whole stay whole.
constexpr u64 zero_piece_size = 256 * mib;

/// Walks over what the upper layers say, in pieces.
class LayerWalk {
 public:
  LayerWalk(const Disk& upper, u64 size, Progress& progress)
      : upper_(upper), size_(size), progress_(progress) {}

  /// `on_zeros(offset, length)` and `on_data(offset, bytes)` return Result<bool>: false ends it.
  template <class OnZeros, class OnData>
  Result<bool> run(OnZeros on_zeros, OnData on_data) {
    const auto& core = DiskAccess::core(upper_);
    for (u64 offset = 0; offset < size_;) {
      VDISK_ASSIGN(const auto extent, core.resolve(offset, size_ - offset, core.layers.size()));
      const u64 end = extent.offset + extent.length;
      while (offset < end) {
        const u64 length = piece_length(extent.state, offset, end);
        Result<bool> go_on = true;
        if (extent.state == State::zero) go_on = on_zeros(offset, length);
        if (extent.state == State::data) {
          const auto piece = std::span(buffer_).first(static_cast<std::size_t>(length));
          VDISK_TRY(upper_.read(offset, piece));
          go_on = on_data(offset, piece);
        }
        if (!go_on || !*go_on) return go_on;
        offset += length;
        VDISK_TRY(progress_.advance(length));
      }
    }
    return true;
  }

 private:
  static u64 piece_length(State state, u64 offset, u64 end) {
    if (state == State::absent) return end - offset;
    const u64 piece = state == State::data ? piece_size : zero_piece_size;
    return std::min(end - offset, piece - offset % piece);
  }

  const Disk& upper_;
  const u64 size_;
  Progress& progress_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(piece_size);
};

}  // namespace

Result<u64> move_layers(const Disk& upper, Disk& target, u64 size, Progress& progress) {
  u64 moved = 0;
  const auto zero = [&](u64 offset, u64 length) -> Result<bool> {
    VDISK_TRY(target.zero(offset, length));
    moved += length;
    return true;
  };
  const auto write = [&](u64 offset, std::span<const std::byte> piece) -> Result<bool> {
    VDISK_TRY(is_zero(piece) ? target.zero(offset, piece.size()) : target.write(offset, piece));
    moved += piece.size();
    return true;
  };
  VDISK_TRY(LayerWalk(upper, size, progress).run(zero, write));
  return moved;
}

Result<bool> is_moved(const Disk& upper, const Disk& target, u64 size, Progress& progress) {
  if (target.size() != size) return false;
  std::vector<std::byte> buffer(piece_size);
  const auto zero = [&](u64 offset, u64 length) {
    return reads_zero(target, offset, length, buffer);
  };
  const auto same = [&](u64 offset, std::span<const std::byte> piece) -> Result<bool> {
    const auto found = std::span(buffer).first(piece.size());
    VDISK_TRY(target.read(offset, found));
    return same_bytes(piece, found);
  };
  return LayerWalk(upper, size, progress).run(zero, same);
}

}  // namespace vdisk
