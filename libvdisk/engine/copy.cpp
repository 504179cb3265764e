#include "engine/copy.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "engine/content.h"

namespace vdisk {

namespace {

/// Zeros are left out in units of this size: the page of every host file system, and a multiple of
/// every logical sector size, so that what is written is always aligned for the target.
constexpr u64 zero_unit = 4 * kib;

class Copy {
 public:
  Copy(const Disk& source, Disk& target, Progress& progress)
      : source_(source), target_(target), progress_(progress), buffer_(piece_size) {}

  Status run() {
    while (done_ < source_.size()) {
      VDISK_ASSIGN(const auto run,
                   content_run_at(DiskAccess::core(source_), done_, source_.size() - done_));
      VDISK_TRY(run.data ? copy_run(run) : skip_to(run.offset + run.length));
    }
    return {};
  }

 private:
  Status skip_to(u64 offset) {
    const u64 skipped = offset - done_;
    done_ = offset;
    return progress_.advance(skipped);
  }

  /// Runs may begin and end at any sector: whole units around them are copied.
  Status copy_run(const ContentRun& run) {
    const u64 end = std::min(round_up(run.offset + run.length, zero_unit), source_.size());
    u64 offset = round_down(run.offset, zero_unit);
    while (offset < end) {
      const u64 length = std::min(end - offset, piece_size - offset % piece_size);
      VDISK_TRY(copy_piece(offset, length));
      offset += length;
      VDISK_TRY(skip_to(offset));
    }
    return {};
  }

  Status copy_piece(u64 offset, u64 length) {
    const auto piece = std::span(buffer_).first(static_cast<std::size_t>(length));
    VDISK_TRY(source_.read(offset, piece));
    for (u64 at = 0; at < length;) {
      const u64 zeros = run_length(piece, at, true);
      const u64 data = run_length(piece, at + zeros, false);
      if (data > 0) {
        const auto bytes = piece.subspan(at + zeros, data);
        VDISK_TRY(target_.write(offset + at + zeros, bytes));
      }
      at += zeros + data;
    }
    return {};
  }

  /// Bytes from `at` on whose units all are zero, or all are not.
  static u64 run_length(std::span<const std::byte> piece, u64 at, bool zero) {
    u64 end = at;
    while (end < piece.size()) {
      const u64 unit = std::min<u64>(zero_unit, piece.size() - end);
      if (is_zero(piece.subspan(end, unit)) != zero) break;
      end += unit;
    }
    return end - at;
  }

  const Disk& source_;
  Disk& target_;
  Progress& progress_;
  std::vector<std::byte> buffer_;
  u64 done_ = 0;
};

}  // namespace

Status copy_content(const Disk& source, Disk& target, Progress& progress) {
  return Copy(source, target, progress).run();
}

}  // namespace vdisk
