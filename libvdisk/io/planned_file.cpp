#include "io/planned_file.h"

#include <algorithm>
#include <limits>
#include <mutex>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "io/copy_loop.h"

namespace vdisk {

namespace {

constexpr u64 no_end = std::numeric_limits<u64>::max();

using Kind = PlannedChange::Kind;

bool replaces_bytes(const PlannedChange& change) {
  return change.kind != Kind::flush && change.kind != Kind::resize;
}

/// Joins ranges that touch or overlap.
std::vector<PlannedRange> joined(std::vector<PlannedRange> ranges) {
  std::ranges::sort(ranges, {}, &PlannedRange::offset);
  std::vector<PlannedRange> result;
  for (const PlannedRange& range : ranges) {
    if (range.length == 0) continue;
    if (result.empty() || range.offset > result.back().end()) {
      result.push_back(range);
    } else {
      result.back().length = std::max(result.back().end(), range.end()) - result.back().offset;
    }
  }
  return result;
}

}  // namespace

Result<std::shared_ptr<PlannedFile>> PlannedFile::create(std::shared_ptr<const File> base) {
  VDISK_ASSIGN(const u64 base_size, base->size());
  return std::shared_ptr<PlannedFile>(new PlannedFile(std::move(base), base_size));
}

PlannedFile::PlannedFile(std::shared_ptr<const File> base, u64 base_size)
    : base_(std::move(base)), base_size_(base_size), size_(base_size) {}

Status PlannedFile::read_at(u64 offset, std::span<std::byte> out) const {
  const std::shared_lock lock(mutex_);
  if (!lies_within(offset, out.size(), 0, size_)) {
    return fail_at(offset, Errc::end_of_file,
                   fmt::format("{}: read of {} bytes at {:#x}: behind the end, expected at most "
                               "{:#x}",
                               name(), out.size(), offset, size_));
  }
  while (!out.empty()) {
    const Piece piece = piece_at(offset);
    const auto part = out.first(std::min<u64>(out.size(), piece.end - offset));
    VDISK_TRY(read_piece(piece, part));
    out = out.subspan(part.size());
    offset += part.size();
  }
  return {};
}

PlannedFile::Piece PlannedFile::piece_at(u64 offset) const {
  const auto next = pieces_.upper_bound(offset);
  if (next != pieces_.begin()) {
    const auto& [begin, found] = *std::prev(next);
    if (offset < found.end) {
      Piece piece = found;
      if (piece.source != Piece::Source::zeros) piece.source_offset += offset - begin;
      return piece;
    }
  }
  const u64 limit = next == pieces_.end() ? no_end : next->first;
  if (offset >= base_size_) return {Piece::Source::zeros, limit};
  return {Piece::Source::base, std::min(limit, base_size_), offset};
}

Status PlannedFile::read_piece(const Piece& piece, std::span<std::byte> out) const {
  switch (piece.source) {
    case Piece::Source::zeros: std::ranges::fill(out, std::byte{}); return {};
    case Piece::Source::base: return base_->read_at(piece.source_offset, out);
    case Piece::Source::data: break;
  }
  const auto data = std::span(*piece.data).subspan(piece.source_offset, out.size());
  std::ranges::copy(data, out.begin());
  return {};
}

Status PlannedFile::check_end(u64 offset, u64 length) const {
  if (checked_add(offset, length)) return {};
  return fail_at(
      offset, Errc::file_system_limit,
      fmt::format("{}: {} bytes at {:#x}: behind the largest offset", name(), length, offset));
}

void PlannedFile::split_at(u64 offset) {
  const auto next = pieces_.lower_bound(offset);
  if (next == pieces_.begin()) return;
  auto& [begin, piece] = *std::prev(next);
  if (piece.end <= offset) return;
  Piece rest = piece;
  if (rest.source != Piece::Source::zeros) rest.source_offset += offset - begin;
  piece.end = offset;
  pieces_.emplace(offset, std::move(rest));
}

void PlannedFile::cover(u64 offset, Piece piece) {
  if (piece.end <= offset) return;
  split_at(offset);
  split_at(piece.end);
  pieces_.erase(pieces_.lower_bound(offset), pieces_.lower_bound(piece.end));
  pieces_.emplace(offset, std::move(piece));
}

void PlannedFile::put(u64 offset, Piece piece, PlannedChange change) {
  size_ = std::max(size_, piece.end);
  cover(offset, std::move(piece));
  changes_.push_back(std::move(change));
}

Status PlannedFile::write_at(u64 offset, std::span<const std::byte> data) {
  const std::scoped_lock lock(mutex_);
  VDISK_TRY(check_end(offset, data.size()));
  if (data.empty()) return {};
  const auto kept = std::make_shared<const std::vector<std::byte>>(data.begin(), data.end());
  put(offset, {Piece::Source::data, offset + data.size(), 0, kept},
      {Kind::write, offset, data.size(), 0, kept});
  return {};
}

Status PlannedFile::zero_at(u64 offset, u64 length) {
  const std::scoped_lock lock(mutex_);
  VDISK_TRY(check_end(offset, length));
  if (length == 0) return {};
  put(offset, {Piece::Source::zeros, offset + length}, {Kind::zero, offset, length});
  return {};
}

Status PlannedFile::punch_at(u64 offset, u64 length) {
  const std::scoped_lock lock(mutex_);
  if (offset >= size_ || length == 0) return {};
  length = std::min(length, size_ - offset);
  put(offset, {Piece::Source::zeros, offset + length}, {Kind::punch, offset, length});
  return {};
}

Status PlannedFile::copy_from(const File& source, u64 source_offset, u64 target_offset,
                              u64 length) {
  if (&source != this) return copy_by_loop(source, *this, {source_offset, target_offset, length});
  const std::scoped_lock lock(mutex_);
  VDISK_TRY(check_end(target_offset, length));
  if (!lies_within(source_offset, length, 0, size_)) {
    return fail_at(source_offset, Errc::end_of_file,
                   fmt::format("{}: copy of {} bytes at {:#x}: behind the end", name(), length,
                               source_offset));
  }
  return copy_inside(source_offset, target_offset, length);
}

/// Piece by piece, so that later changes of the source do not reach the copy.
Status PlannedFile::copy_inside(u64 source_offset, u64 target_offset, u64 length) {
  for (u64 done = 0; done < length;) {
    Piece piece = piece_at(source_offset + done);
    const u64 part = std::min(length - done, piece.end - source_offset - done);
    const u64 target = target_offset + done;
    piece.end = target + part;
    put(target, std::move(piece), {Kind::copy, target, part, source_offset + done});
    done += part;
  }
  return {};
}

Result<u64> PlannedFile::size() const {
  const std::shared_lock lock(mutex_);
  return size_;
}

Status PlannedFile::resize(u64 new_size) {
  const std::scoped_lock lock(mutex_);
  if (new_size == size_) return {};
  // What is cut off must not come back from the base when the file grows again.
  if (new_size < size_) cover(new_size, {Piece::Source::zeros, size_});
  size_ = new_size;
  changes_.push_back({Kind::resize, 0, new_size});
  return {};
}

Status PlannedFile::flush() {
  const std::scoped_lock lock(mutex_);
  const bool needed = !changes_.empty() && changes_.back().kind != Kind::flush;
  if (needed) changes_.push_back({Kind::flush});
  return {};
}

Result<Hole> PlannedFile::next_hole(u64 offset) const {
  const std::shared_lock lock(mutex_);
  while (offset < size_) {
    const Piece piece = piece_at(offset);
    const u64 end = std::min(piece.end, size_);
    if (piece.source == Piece::Source::zeros) return Hole{offset, end - offset};
    const bool shows_base = piece.source == Piece::Source::base && piece.source_offset == offset;
    if (shows_base) {
      VDISK_ASSIGN(const Hole hole, base_->next_hole(offset));
      const bool inside = hole.length != 0 && hole.offset < end;
      if (inside) return Hole{hole.offset, std::min(hole.offset + hole.length, end) - hole.offset};
    }
    offset = end;
  }
  return Hole{size_, 0};
}

bool PlannedFile::empty() const {
  return std::ranges::all_of(
      changes_, [](const PlannedChange& change) { return change.kind == Kind::flush; });
}

std::vector<PlannedRange> PlannedFile::changed_ranges() const {
  std::vector<PlannedRange> ranges;
  const auto add = [&](u64 begin, u64 end) {
    end = std::min(end, base_size_);
    if (begin < end) ranges.push_back({begin, end - begin});
  };
  for (const PlannedChange& change : changes_) {
    if (replaces_bytes(change)) add(change.offset, change.offset + change.length);
    if (change.kind == Kind::resize) add(change.length, base_size_);
  }
  return joined(std::move(ranges));
}

Status apply(const PlannedChange& change, File& target) {
  switch (change.kind) {
    case Kind::write: return target.write_at(change.offset, *change.data);
    case Kind::zero: return target.zero_at(change.offset, change.length);
    case Kind::punch: return target.punch_at(change.offset, change.length);
    case Kind::copy:
      return target.copy_from(target, change.source_offset, change.offset, change.length);
    case Kind::resize: return target.resize(change.length);
    case Kind::flush: break;
  }
  return target.flush();
}

Status apply(const PlannedFile& plan, File& target) {
  for (const PlannedChange& change : plan.changes()) VDISK_TRY(apply(change, target));
  return target.flush();
}

}  // namespace vdisk
