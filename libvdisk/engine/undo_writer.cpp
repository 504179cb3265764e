/// Writing an undo file: what a plan overwrites, and everything that it may leave behind.
///
/// A sector may be written several times before the repair ends; an interrupted repair leaves any
/// of these versions. They are found by doing the plan once more, on a view.
#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/try.h"
#include "engine/undo_file.h"
#include "engine/undo_format.h"

namespace vdisk {

namespace {

using namespace undo;

using Bytes = std::vector<std::byte>;
using Kind = PlannedChange::Kind;

struct Version {
  std::size_t piece = 0;
  u32 sector = 0;
  u32 crc = 0;
  auto operator<=>(const Version&) const = default;
};

/// The bytes of the base that a change replaces; those behind its end are nobody's.
PlannedRange range_of(const PlannedChange& change, u64 base_size) {
  const bool cuts = change.kind == Kind::resize;
  const u64 begin = std::min(cuts ? change.length : change.offset, base_size);
  const u64 end = cuts ? base_size : std::min(change.offset + change.length, base_size);
  return change.kind == Kind::flush ? PlannedRange{} : PlannedRange{begin, end - begin};
}

/// Cuts what the plan changes into pieces. Where it only makes zeros, holes stay what they are.
class PieceFinder {
 public:
  explicit PieceFinder(const PlannedFile& plan) : plan_(plan) {
    for (const PlannedChange& change : plan.changes()) {
      const bool fills = change.kind == Kind::write || change.kind == Kind::copy;
      const PlannedRange range = range_of(change, plan.base_size());
      if (fills && range.length != 0) filled_.push_back(range);
    }
    std::ranges::sort(filled_, {}, &PlannedRange::offset);
  }

  Result<std::vector<Piece>> run() {
    for (const PlannedRange& range : plan_.changed_ranges()) {
      for (u64 offset = range.offset; offset < range.end();) {
        VDISK_ASSIGN(offset, step(offset, range.end()));
      }
    }
    return std::move(pieces_);
  }

 private:
  /// Returns where the next step begins.
  Result<u64> step(u64 offset, u64 end) {
    while (next_ < filled_.size() && filled_[next_].end() <= offset) ++next_;
    const u64 filled_from = next_ < filled_.size() ? filled_[next_].offset : end;
    if (offset < filled_from) {
      VDISK_ASSIGN(const Hole hole, plan_.base()->next_hole(offset));
      const bool in_hole = hole.length != 0 && hole.offset <= offset;
      if (in_hole) return std::min({hole.offset + hole.length, filled_from, end});
    }
    const u64 length = std::min(end - offset, piece_size - offset % piece_size);
    pieces_.push_back({offset, length});
    return offset + length;
  }

  const PlannedFile& plan_;
  std::vector<PlannedRange> filled_;
  std::size_t next_ = 0;
  std::vector<Piece> pieces_;
};

/// Every content that a sector of a piece has while the plan is done.
class VersionFinder {
 public:
  VersionFinder(const PlannedFile& plan, const std::vector<Piece>& pieces)
      : plan_(plan),
        pieces_(pieces),
        least_size_(plan.base_size()),
        largest_size_(plan.base_size()) {}

  Status run() {
    VDISK_ASSIGN(const auto view, PlannedFile::create(plan_.base()));
    for (const PlannedChange& change : plan_.changes()) {
      VDISK_TRY(apply(change, *view));
      VDISK_ASSIGN(const u64 size, view->size());
      least_size_ = std::min(least_size_, size);
      largest_size_ = std::max(largest_size_, size);
      VDISK_TRY(look_at(*view, range_of(change, plan_.base_size())));
    }
    std::ranges::sort(versions_);
    const auto rest = std::ranges::unique(versions_);
    versions_.erase(rest.begin(), rest.end());
    return {};
  }

  [[nodiscard]] const std::vector<Version>& versions() const { return versions_; }
  [[nodiscard]] u64 least_size() const { return least_size_; }
  [[nodiscard]] u64 largest_size() const { return largest_size_; }

 private:
  Status look_at(const File& view, const PlannedRange& range) {
    auto piece = std::ranges::upper_bound(pieces_, range.offset, {}, &Piece::end);
    for (; piece != pieces_.end() && piece->offset < range.end(); ++piece) {
      bytes_.resize(piece->length);
      VDISK_TRY(read_padded(view, piece->offset, bytes_));
      const u64 first_sector = piece->offset / sector_size;
      const u64 begin = std::max(range.offset, piece->offset) / sector_size - first_sector;
      const u64 end = divide_up(std::min(range.end(), piece->end()), sector_size) - first_sector;
      for (u64 n = begin; n < end; ++n) {
        versions_.push_back({static_cast<std::size_t>(piece - pieces_.begin()), static_cast<u32>(n),
                             crc32c(piece->sector(bytes_, n))});
      }
    }
    return {};
  }

  const PlannedFile& plan_;
  const std::vector<Piece>& pieces_;
  std::vector<Version> versions_;
  Bytes bytes_;
  u64 least_size_;
  u64 largest_size_;
};

class UndoWriter {
 public:
  UndoWriter(File& target, const UndoSource& source) : target_(target), source_(source) {}

  Status run() {
    VDISK_ASSIGN(const auto pieces, PieceFinder(source_.plan).run());
    VersionFinder finder(source_.plan, pieces);
    VDISK_TRY(finder.run());
    auto version = finder.versions().begin();
    for (std::size_t n = 0; n < pieces.size(); ++n) {
      const auto first = version;
      while (version != finder.versions().end() && version->piece == n) ++version;
      VDISK_TRY(keep(pieces[n], std::span(first, version)));
    }
    VDISK_TRY(drain());
    return write_header(finder);
  }

 private:
  Status keep(Piece piece, std::span<const Version> versions) {
    old_.resize(piece.length);
    VDISK_TRY(source_.plan.base()->read_at(piece.offset, old_));
    piece.old_is_zero = is_zero(old_);
    piece.version_count = versions.size();
    append(piece.offset);
    append(piece.length);
    append(piece.old_is_zero ? 1 : 0);
    append(piece.version_count);
    for (const Version& version : versions) {
      append(version.sector, sizeof version.sector);
      append(version.crc, sizeof version.crc);
    }
    if (!piece.old_is_zero) pending_.insert(pending_.end(), old_.begin(), old_.end());
    return pending_.size() < mib ? Status() : drain();
  }

  void append(u64 value, std::size_t size = sizeof(u64)) {
    pending_.resize(pending_.size() + size);
    put(std::span(pending_).last(size), value, size);
  }

  Status drain() {
    VDISK_TRY(target_.write_at(header_size + body_size_, pending_));
    body_crc_ = crc32c(pending_, body_crc_);
    body_size_ += pending_.size();
    pending_.clear();
    return {};
  }

  Status write_header(const VersionFinder& finder) {
    Header header{};
    std::ranges::copy(as_bytes(magic), header.begin());
    const auto set = [&header](Field place, u64 value) {
      put(std::span(header).subspan(place), value);
    };
    VDISK_ASSIGN(const u64 new_size, source_.plan.size());
    set(at_version, version);
    set(at_old_size, source_.plan.base_size());
    set(at_new_size, new_size);
    set(at_least_size, finder.least_size());
    set(at_largest_size, finder.largest_size());
    set(at_body_size, body_size_);
    set(at_body_crc, body_crc_);
    std::ranges::copy(as_bytes(source_.format.substr(0, format_size)), header.begin() + at_format);
    put(std::span(header).subspan(at_header_crc), crc_of(header), sizeof(u32));
    return target_.write_at(0, header);
  }

  File& target_;
  const UndoSource& source_;
  Bytes old_;
  Bytes pending_;
  u64 body_size_ = 0;
  u32 body_crc_ = 0;
};

}  // namespace

Status write_undo_file(FileSystem& file_system, const std::filesystem::path& path,
                       const UndoSource& source) {
  if (file_system.identity(path)) {
    return fail(Errc::file_exists, fmt::format("{}: exists already", path.string()));
  }
  VDISK_ASSIGN(auto file, file_system.create_beside(path));
  VDISK_TRY(UndoWriter(*file, source).run());
  VDISK_TRY(file->flush());
  return file_system.publish(*file, path, false);
}

}  // namespace vdisk
