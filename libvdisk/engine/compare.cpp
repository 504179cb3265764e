/// compare: do two disks show the guest the same bytes?
#include "engine/compare.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/exception_error.h"
#include "base/same_bytes.h"
#include "base/try.h"
#include "engine/content.h"

namespace vdisk {

namespace {

/// Differences are reported in units of the smallest sector.
constexpr u64 range_unit = 512;

class Compare {
 public:
  Compare(const Disk& a, const Disk& b, const OnDifference& on_difference, Progress& progress)
      : a_(a), b_(b), on_difference_(on_difference), progress_(progress) {
    result_.size_a = a.size();
    result_.size_b = b.size();
  }

  Result<Comparison> run() {
    const u64 end = std::max(a_.size(), b_.size());
    for (u64 offset = 0; offset < end && !finished();) {
      VDISK_ASSIGN(const u64 length, compare_at(offset, end - offset));
      offset += length;
      VDISK_TRY(progress_.advance(length));
    }
    result_.identical = !result_.first_difference;
    return result_;
  }

 private:
  [[nodiscard]] bool finished() const { return result_.first_difference && !on_difference_; }

  Result<u64> compare_at(u64 offset, u64 limit) {
    VDISK_ASSIGN(const auto run_a, padded_run_at(a_, offset, limit));
    VDISK_ASSIGN(const auto run_b, padded_run_at(b_, offset, limit));
    const u64 common = std::min(run_a.length, run_b.length);
    if ((!run_a.data && !run_b.data) || same_place(run_a, run_b)) return common;
    const auto length = static_cast<std::size_t>(std::min(common, piece_size));
    const auto piece_a = std::span(buffer_a_).first(length);
    const auto piece_b = std::span(buffer_b_).first(length);
    VDISK_TRY(fetch(a_, run_a, piece_a));
    VDISK_TRY(fetch(b_, run_b, piece_b));
    note_differences(offset, piece_a, piece_b);
    return length;
  }

  /// Both disks read these bytes from one place: a common ancestor, say.
  static bool same_place(const ContentRun& a, const ContentRun& b) {
    if (a.layer == nullptr || b.layer == nullptr || a.file_offset != b.file_offset) return false;
    return a.layer->id == b.layer->id;
  }

  static Status fetch(const Disk& disk, const ContentRun& run, std::span<std::byte> out) {
    if (run.data) return disk.read(run.offset, out);
    std::ranges::fill(out, std::byte{});
    return {};
  }

  void note_differences(u64 offset, std::span<const std::byte> a, std::span<const std::byte> b) {
    if (same_bytes(a, b)) return;
    if (!result_.first_difference) {
      const auto first = std::mismatch(a.begin(), a.end(), b.begin()).first;
      result_.first_difference = offset + static_cast<u64>(first - a.begin());
    }
    if (!on_difference_) return;
    for (u64 at = 0; at < a.size();) {
      const u64 length = std::min(a.size() - at, range_unit - (offset + at) % range_unit);
      const auto unit = a.subspan(at, length);
      if (!same_bytes(unit, b.subspan(at, length))) on_difference_(offset + at, length);
      at += length;
    }
  }

  const Disk& a_;
  const Disk& b_;
  const OnDifference& on_difference_;
  Progress& progress_;
  Comparison result_;
  std::vector<std::byte> buffer_a_ = std::vector<std::byte>(piece_size);
  std::vector<std::byte> buffer_b_ = std::vector<std::byte>(piece_size);
};

void append_range(std::vector<DifferingRange>& ranges, u64 offset, u64 length) {
  if (!ranges.empty() && ranges.back().offset + ranges.back().length == offset) {
    ranges.back().length += length;
  } else {
    ranges.push_back({offset, length});
  }
}

}  // namespace

Result<Comparison> compare_disks(const Disk& a, const Disk& b, const OnDifference& on_difference,
                                 Progress& progress) {
  return Compare(a, b, on_difference, progress).run();
}

Result<Comparison> compare(const CompareOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto a, Disk::open(options.a, open));
  VDISK_ASSIGN(const auto b, Disk::open(options.b, open));
  progress.phase("compare");
  progress.expect(std::max<u64>({a.size(), b.size(), 1}));
  std::vector<DifferingRange> ranges;
  OnDifference collect;
  if (options.all_ranges) {
    collect = [&](u64 offset, u64 length) { append_range(ranges, offset, length); };
  }
  VDISK_ASSIGN(auto result, compare_disks(a, b, collect, progress));
  result.ranges = std::move(ranges);
  if (options.strict_size && a.size() != b.size()) {
    result.identical = false;
    if (!result.first_difference) result.first_difference = std::min(a.size(), b.size());
  }
  return result;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
