#include "engine/remaining_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/try.h"

namespace vdisk {

namespace {

using Kind = PlannedChange::Kind;

std::unexpected<Error> refuse_change(const File& file) {
  return fail(Errc::write_protected, fmt::format("{}: a view for reading only", file.name()));
}

std::vector<PlannedRange> made_behind(const PlannedFile& view, u64 data_end) {
  std::vector<PlannedRange> ranges;
  for (const PlannedChange& change : view.changes()) {
    const bool makes_bytes = change.kind != Kind::flush && change.kind != Kind::resize;
    const u64 end = change.offset + change.length;
    if (!makes_bytes || end <= data_end) continue;
    const u64 begin = std::max(change.offset, data_end);
    ranges.push_back({begin, end - begin});
  }
  std::ranges::sort(ranges, {}, &PlannedRange::offset);
  std::vector<PlannedRange> joined;
  for (const PlannedRange& range : ranges) {
    if (joined.empty() || joined.back().end() < range.offset) {
      joined.push_back(range);
    } else {
      PlannedRange& last = joined.back();
      last.length = std::max(last.end(), range.end()) - last.offset;
    }
  }
  return joined;
}

}  // namespace

RemainingFile::RemainingFile(std::shared_ptr<const PlannedFile> view, u64 data_end)
    : view_(std::move(view)), data_end_(data_end), made_(made_behind(*view_, data_end)) {}

Status RemainingFile::read_at(u64 offset, std::span<std::byte> out) const {
  const u64 end = offset + out.size();
  if (end <= data_end_) return view_->read_at(offset, out);
  const u64 begin = std::max(offset, data_end_);
  const auto range = std::ranges::upper_bound(made_, begin, {}, &PlannedRange::end);
  const bool made = range != made_.end() && range->offset <= begin && end <= range->end();
  if (made) return view_->read_at(offset, out);
  return fail_at(begin, Errc::end_of_file,
                 fmt::format("{}: {:#x} lies behind what is left of the file, expected less than "
                             "{:#x}",
                             name(), begin, data_end_));
}

Result<Hole> RemainingFile::next_hole(u64 offset) const {
  VDISK_ASSIGN(const u64 end, view_->size());
  VDISK_ASSIGN(const Hole hole, view_->next_hole(offset));
  if (hole.length == 0 || hole.offset >= data_end_) return Hole{end, 0};
  return Hole{hole.offset, std::min(hole.offset + hole.length, data_end_) - hole.offset};
}

Status RemainingFile::write_at(u64, std::span<const std::byte>) {
  return refuse_change(*view_);
}
Status RemainingFile::zero_at(u64, u64) {
  return refuse_change(*view_);
}
Status RemainingFile::punch_at(u64, u64) {
  return refuse_change(*view_);
}
Status RemainingFile::copy_from(const File&, u64, u64, u64) {
  return refuse_change(*view_);
}
Status RemainingFile::resize(u64) {
  return refuse_change(*view_);
}
Status RemainingFile::flush() {
  return refuse_change(*view_);
}

}  // namespace vdisk
