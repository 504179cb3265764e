#include "formats/vhdx/replayed_file.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

std::unexpected<Error> refuse_change(const File& file) {
  return fail(Errc::write_protected,
              fmt::format("{}: a view of the replayed log, expected no writes", file.name()));
}

}  // namespace

Result<std::unique_ptr<ReplayedFile>> ReplayedFile::build(const File& base, const Header& header,
                                                          const ActiveSequence& sequence,
                                                          u64 size) {
  VDISK_ASSIGN(const u64 base_size, base.size());
  std::unique_ptr<ReplayedFile> view(new ReplayedFile(base, header, base_size, size));
  VDISK_TRY(visit_log_updates(base, header, sequence.entries, [&view](const LogUpdate& update) {
    view->add(update);
    return Status();
  }));
  return view;
}

void ReplayedFile::add(const LogUpdate& update) {
  if (update.descriptor.is_zero) {
    add_zeros(update.descriptor.file_offset, update.descriptor.length);
  } else {
    pages_.insert_or_assign(update.descriptor.file_offset, update);
  }
}

void ReplayedFile::add_zeros(u64 offset, u64 length) {
  u64 begin = offset;
  u64 end = offset + length;
  pages_.erase(pages_.lower_bound(begin), pages_.lower_bound(end));
  auto range = zeros_.upper_bound(begin);
  if (range != zeros_.begin() && std::prev(range)->second >= begin) --range;
  while (range != zeros_.end() && range->first <= end) {
    begin = std::min(begin, range->first);
    end = std::max(end, range->second);
    range = zeros_.erase(range);
  }
  zeros_.emplace(begin, end);
}

Status ReplayedFile::read_at(u64 offset, std::span<std::byte> out) const {
  if (!lies_within(offset, out.size(), 0, size_)) {
    return fail_at(offset, Errc::end_of_file,
                   fmt::format("{}: read of {} bytes at {:#x}, expected inside {:#x} bytes", name(),
                               out.size(), offset, size_));
  }
  VDISK_TRY(read_base(offset, out));
  clear_zeros(offset, out);
  return overlay_pages(offset, out);
}

Status ReplayedFile::read_base(u64 offset, std::span<std::byte> out) const {
  const u64 stored = offset < base_size_ ? std::min<u64>(out.size(), base_size_ - offset) : 0;
  std::ranges::fill(out.subspan(stored), std::byte{});
  return stored == 0 ? Status() : base_.read_at(offset, out.first(stored));
}

void ReplayedFile::clear_zeros(u64 offset, std::span<std::byte> out) const {
  const u64 end = offset + out.size();
  auto range = zeros_.upper_bound(offset);
  if (range != zeros_.begin()) --range;
  for (; range != zeros_.end() && range->first < end; ++range) {
    const u64 from = std::max(offset, range->first);
    const u64 to = std::min(end, range->second);
    if (from < to) std::ranges::fill(out.subspan(from - offset, to - from), std::byte{});
  }
}

Status ReplayedFile::overlay_pages(u64 offset, std::span<std::byte> out) const {
  const u64 end = offset + out.size();
  auto update = pages_.lower_bound(round_down(offset, log_sector_size));
  for (; update != pages_.end() && update->first < end; ++update) {
    VDISK_ASSIGN(const auto page, read_page(base_, header_, update->second));
    const u64 from = std::max(offset, update->first);
    const u64 to = std::min<u64>(end, update->first + page.size());
    std::ranges::copy(std::span(page).subspan(from - update->first, to - from),
                      out.begin() + static_cast<std::ptrdiff_t>(from - offset));
  }
  return {};
}

Result<Hole> ReplayedFile::next_hole(u64 offset) const {
  while (offset < std::min(base_size_, size_)) {
    VDISK_ASSIGN(const Hole hole, base_.next_hole(offset));
    if (hole.length == 0) break;
    const u64 begin = std::max(hole.offset, offset);
    const u64 end = std::min(hole.offset + hole.length, size_);
    const auto page = pages_.lower_bound(round_down(begin, log_sector_size));
    if (page == pages_.end() || page->first >= end) return Hole{begin, end - begin};
    if (page->first > begin) return Hole{begin, page->first - begin};
    offset = page->first + log_sector_size;
  }
  return Hole{size_, 0};
}

Status ReplayedFile::write_at(u64, std::span<const std::byte>) {
  return refuse_change(*this);
}
Status ReplayedFile::zero_at(u64, u64) {
  return refuse_change(*this);
}
Status ReplayedFile::punch_at(u64, u64) {
  return refuse_change(*this);
}
Status ReplayedFile::copy_from(const File&, u64, u64, u64) {
  return refuse_change(*this);
}
Status ReplayedFile::resize(u64) {
  return refuse_change(*this);
}
Status ReplayedFile::flush() {
  return refuse_change(*this);
}

}  // namespace vdisk::vhdx
