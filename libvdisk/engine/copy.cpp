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

/// Cloning a range costs about as much as copying this little.
constexpr u64 smallest_clone = 64 * kib;
/// A cancel is noticed between two clones.
constexpr u64 largest_clone = 256 * mib;
/// A host that has refused as often as this does not clone these files at all.
constexpr unsigned most_refusals = 16;

/// What the target holds before.
enum class Onto {
  zeros,  ///< those of the source are left out
  anything,
};

struct CopyTask {
  GuestRange range;
  Onto onto = Onto::zeros;
  bool clone = false;
};

class Copy {
 public:
  Copy(const Disk& source, Disk& target, const CopyTask& task, Progress& progress)
      : source_(source),
        target_(target),
        core_(DiskAccess::core(target)),
        progress_(progress),
        task_(task),
        buffer_(piece_size),
        done_(task.range.begin) {}

  Result<CopyCounts> run() {
    while (done_ < task_.range.end) {
      VDISK_ASSIGN(const auto run,
                   content_run_at(DiskAccess::core(source_), done_, task_.range.end - done_));
      VDISK_TRY(run.data ? copy_run(run) : pass_zeros(run));
    }
    return counts_;
  }

 private:
  /// Whole units: one that a run of zeros shares with data behind it is copied as data.
  Status pass_zeros(const ContentRun& run) {
    const u64 end = run.offset + run.length;
    const u64 zeros_end = end == task_.range.end ? end : round_down(end, zero_unit);
    const u64 zeros_begin = round_down(run.offset, zero_unit);
    if (zeros_begin < zeros_end) VDISK_TRY(store_zeros(zeros_begin, zeros_end - zeros_begin));
    return skip_to(end);
  }

  Status store_zeros(u64 offset, u64 length) {
    if (task_.onto == Onto::zeros) return {};
    counts_.zeroed_bytes += length;
    return target_.zero(offset, length);
  }

  Status skip_to(u64 offset) {
    const u64 skipped = offset - done_;
    done_ = offset;
    return progress_.advance(skipped);
  }

  /// Runs may begin and end at any sector: whole units around them are copied.
  Status copy_run(const ContentRun& run) {
    const u64 end = std::min(round_up(run.offset + run.length, zero_unit), task_.range.end);
    u64 offset = round_down(run.offset, zero_unit);
    while (offset < end) {
      VDISK_ASSIGN(const u64 cloned, clone_at(run, offset));
      const u64 length =
          cloned > 0 ? cloned : std::min(end - offset, piece_size - offset % piece_size);
      if (cloned == 0) VDISK_TRY(copy_piece(offset, length));
      offset += length;
      VDISK_TRY(skip_to(offset));
    }
    return {};
  }

  /// Clones what it can of the run from `offset` on; how many bytes, 0 where it cannot.
  Result<u64> clone_at(const ContentRun& run, u64 offset) {
    if (!task_.clone || run.layer == nullptr || offset < run.offset) return u64{0};
    const u64 from = run.file_offset + (offset - run.offset);
    const u64 limit = std::min(run.offset + run.length - offset, largest_clone);
    const u64 wanted = round_down(limit, zero_unit);
    if (wanted < smallest_clone || !is_aligned(from, zero_unit)) return u64{0};
    VDISK_ASSIGN(const Extent place, core_.leaf().reserve(offset, wanted));
    const u64 length = round_down(place.length, zero_unit);
    if (length < smallest_clone || !is_aligned(place.file_offset, zero_unit)) return u64{0};
    VDISK_ASSIGN(const bool cloned, target_.layer_file(0).clone_from(run.layer->image->file(), from,
                                                                     place.file_offset, length));
    if (!cloned) {
      task_.clone = ++refusals_ < most_refusals;
      return u64{0};
    }
    refusals_ = 0;
    counts_.cloned_bytes += length;
    VDISK_TRY(core_.commit({place.offset, length, State::data, place.file_offset}));
    return length;
  }

  Status copy_piece(u64 offset, u64 length) {
    const auto piece = std::span(buffer_).first(static_cast<std::size_t>(length));
    VDISK_TRY(source_.read(offset, piece));
    for (u64 at = 0; at < length;) {
      const u64 zeros = run_length(piece, at, true);
      const u64 data = run_length(piece, at + zeros, false);
      if (zeros > 0) VDISK_TRY(store_zeros(offset + at, zeros));
      if (data > 0) {
        const auto bytes = piece.subspan(at + zeros, data);
        VDISK_TRY(target_.write(offset + at + zeros, bytes));
        counts_.written_bytes += data;
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
  Disk::Core& core_;
  Progress& progress_;
  CopyTask task_;
  unsigned refusals_ = 0;  ///< since a clone succeeded
  CopyCounts counts_;
  std::vector<std::byte> buffer_;
  u64 done_;
};

}  // namespace

Result<CopyCounts> copy_content(const Disk& source, Disk& target, const CopyOptions& options,
                                Progress& progress) {
  const CopyTask task{.range = {0, source.size()}, .clone = options.clone};
  return Copy(source, target, task, progress).run();
}

Result<CopyCounts> copy_over(const Disk& source, Disk& target, GuestRange range,
                             Progress& progress) {
  return Copy(source, target, {.range = range, .onto = Onto::anything}, progress).run();
}

}  // namespace vdisk
