/// diff: what must be copied to turn one disk into another.
#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/changed_ranges.h"
#include "engine/compare.h"
#include "engine/content.h"
#include "vdisk/manifest.h"

namespace vdisk {

namespace {

constexpr u64 smallest_granularity = 512;
constexpr u64 largest_granularity = 256 * mib;

Status check_granularity(u64 granularity) {
  const bool possible = std::has_single_bit(granularity) && granularity >= smallest_granularity &&
                        granularity <= largest_granularity;
  if (possible) return {};
  return fail(Errc::invalid_argument,
              fmt::format("granularity: {} bytes, expected a power of two from {} to {}",
                          granularity, smallest_granularity, largest_granularity));
}

/// Ranges of whole units in which something differs.
class DifferingUnits {
 public:
  explicit DifferingUnits(u64 granularity) : granularity_(granularity) {}

  void add(u64 offset, u64 length) {
    const u64 begin = round_down(offset, granularity_);
    const u64 end = round_up(offset + length, granularity_);
    const bool goes_on = !ranges_.empty() && begin <= ranges_.back().end;
    if (!goes_on) ranges_.push_back({begin, end});
    ranges_.back().end = end;
  }

  /// With a look at what each unit reads as now.
  Result<Changes> changes(const Disk& now, u64 old_size, Progress& progress) const {
    ChangedRanges changes(granularity_, now.size());
    std::vector<std::byte> buffer(piece_size);
    for (const auto& [begin, end] : ranges_) {
      for (u64 unit = begin; unit < std::min(end, now.size()); unit += granularity_) {
        VDISK_ASSIGN(const bool zero, reads_zero(now, unit, granularity_, buffer));
        changes.add(unit, zero);
      }
      VDISK_TRY(progress.advance(0));
    }
    return changes.take(old_size);
  }

 private:
  struct Range {
    u64 begin;
    u64 end;
  };
  const u64 granularity_;
  std::vector<Range> ranges_;
};

}  // namespace

Result<Changes> diff(const DiffOptions& options, Progress& progress) try {
  VDISK_TRY(check_granularity(options.granularity));
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto a, Disk::open(options.a, open));
  VDISK_ASSIGN(const auto b, Disk::open(options.b, open));
  progress.phase("compare");
  progress.expect(std::max<u64>({a.size(), b.size(), 1}));
  DifferingUnits units(options.granularity);
  const auto add = [&](u64 offset, u64 length) { units.add(offset, length); };
  VDISK_TRY(compare_disks(a, b, add, progress));
  return units.changes(b, a.size(), progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
