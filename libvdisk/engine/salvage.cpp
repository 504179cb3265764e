/// Salvage: a rebuilt view of the damaged file is opened like any image, and copied piece by piece;
/// a piece that cannot be read is noted and left as zeros.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/content.h"
#include "engine/new_image.h"
#include "engine/observed_file.h"
#include "engine/remaining_file.h"
#include "engine/split_image.h"
#include "formats/formats.h"

namespace vdisk {

namespace {

constexpr u64 sector_size = 512;
/// Zeros are left out in units of this size, as in copy.cpp.
constexpr u64 zero_unit = 4 * kib;

/// Errors that say nothing about the image.
bool ends_everything(const Error& error) {
  const ErrorKind group = kind(error.code);
  return group == ErrorKind::canceled || group == ErrorKind::no_memory;
}

/// A file without its signature is what its name says.
Result<const Format*> choose_damaged_format(const File& file, const SalvageOptions& options) {
  auto format = choose_format(file, options.source, options.open.format);
  if (format || format.error().code != Errc::not_image) return format;
  const Format* named = find_format_by_extension(options.source.extension().string());
  return named == nullptr ? format : named;
}

/// A run of the guest's disk that is alike.
struct Piece {
  enum class Kind { data, zero, lost } kind = Kind::zero;
  u64 length = 0;
  std::size_t depth = 0;  ///< of data
  u64 file_offset = 0;    ///< of data
  std::optional<Error> error = {};

  static Piece lost_run(u64 length, Error error) {
    return {.kind = Kind::lost, .length = length, .error = std::move(error)};
  }
};

/// A chain of which parts may be missing.
class DamagedDisk {
 public:
  DamagedDisk(const Disk::Core& core, u64 data_end, std::optional<Error> broken)
      : core_(core), data_end_(data_end), broken_(std::move(broken)) {}

  [[nodiscard]] u64 size() const { return core_.size(); }

  /// Errors: canceled, no_memory.
  Result<Piece> piece_at(u64 offset, u64 limit) const {
    for (std::size_t depth = 0; depth < core_.layers.size(); ++depth) {
      if (offset >= core_.sizes[depth]) return Piece{.length = limit};
      const Image& image = *core_.layers[depth].image;
      auto extent = image.extent_at(offset, limit);
      if (!extent) {
        if (ends_everything(extent.error())) return std::unexpected(std::move(extent).error());
        return Piece::lost_run(until_block_end(image, offset, limit), std::move(extent).error());
      }
      limit = std::min(limit, extent->length);
      if (extent->state == State::zero) return Piece{.length = limit};
      if (extent->state == State::data) return stored_piece(depth, extent->file_offset, limit);
    }
    return core_.complete && !broken_ ? Piece{.length = limit} : of_parent(limit);
  }

  [[nodiscard]] Status read(const Piece& piece, u64 inside, std::span<std::byte> out) const {
    return core_.layers[piece.depth].image->file().read_at(piece.file_offset + inside, out);
  }

 private:
  static u64 until_block_end(const Image& image, u64 offset, u64 limit) {
    const u64 block_size = image.geometry().block_size;
    return block_size == 0 ? limit : std::min(limit, block_size - offset % block_size);
  }

  /// Only the leaf is a view that claims more than there is.
  [[nodiscard]] Piece stored_piece(std::size_t depth, u64 file_offset, u64 length) const {
    if (depth != 0 || file_offset + length <= data_end_) {
      return {
          .kind = Piece::Kind::data, .length = length, .depth = depth, .file_offset = file_offset};
    }
    if (file_offset >= data_end_) {
      return Piece::lost_run(
          length,
          Error{Errc::file_size_invalid,
                fmt::format("stored at {:#x}, expected less than {:#x}, where the file ends",
                            file_offset, data_end_),
                0, file_offset});
    }
    return {.kind = Piece::Kind::data,
            .length = data_end_ - file_offset,
            .depth = depth,
            .file_offset = file_offset};
  }

  [[nodiscard]] Piece of_parent(u64 length) const {
    return Piece::lost_run(
        length, broken_.value_or(Error{
                    Errc::parent_not_found, "stored in the parent, which was not opened", 0, {}}));
  }

  const Disk::Core& core_;
  const u64 data_end_;
  const std::optional<Error> broken_;
};

class SalvageCopy {
 public:
  SalvageCopy(const DamagedDisk& source, Disk& target, Salvaged& result)
      : source_(source), target_(target), result_(result), buffer_(piece_size) {}

  Status run(Progress& progress) {
    progress.phase("copy");
    progress.expect(source_.size());
    while (at_ < source_.size()) {
      const u64 begin = at_;
      VDISK_ASSIGN(const bool skipped, skip());
      if (!skipped) VDISK_TRY(copy_piece());
      VDISK_TRY(progress.advance(at_ - begin));
    }
    return {};
  }

 private:
  /// Passes over a long run that holds no data.
  Result<bool> skip() {
    const u64 rest = source_.size() - at_;
    VDISK_ASSIGN(const Piece piece, source_.piece_at(at_, rest));
    const u64 whole = piece.length == rest ? rest : round_down(piece.length, piece_size);
    if (piece.kind == Piece::Kind::data || whole == 0) return false;
    if (piece.error) lose(at_, whole, *piece.error);
    at_ += whole;
    return true;
  }

  Status copy_piece() {
    const u64 length = std::min(piece_size, source_.size() - at_);
    const auto bytes = std::span(buffer_).first(length);
    std::ranges::fill(bytes, std::byte{});
    for (u64 done = 0; done < length;) {
      VDISK_ASSIGN(const Piece piece, source_.piece_at(at_ + done, length - done));
      if (piece.error) lose(at_ + done, piece.length, *piece.error);
      if (piece.kind == Piece::Kind::data) {
        VDISK_TRY(read(piece, {at_ + done, 0, bytes.subspan(done, piece.length)}));
      }
      done += piece.length;
    }
    VDISK_TRY(write(bytes));
    at_ += length;
    return {};
  }

  /// A part of a piece.
  struct Part {
    u64 guest_offset = 0;
    u64 inside = 0;  ///< from the start of the piece
    std::span<std::byte> out;
  };

  /// Where all of it cannot be read, each half is tried, down to single sectors.
  Status read(const Piece& piece, const Part& part) {
    auto done = source_.read(piece, part.inside, part.out);
    if (done) return {};
    if (ends_everything(done.error())) return done;
    if (part.out.size() <= sector_size) {
      std::ranges::fill(part.out, std::byte{});
      lose(part.guest_offset, part.out.size(), done.error());
      return {};
    }
    const u64 half = round_up(part.out.size() / 2, sector_size);
    VDISK_TRY(read(piece, {part.guest_offset, part.inside, part.out.first(half)}));
    return read(piece, {part.guest_offset + half, part.inside + half, part.out.subspan(half)});
  }

  Status write(std::span<const std::byte> bytes) {
    for (u64 begin = 0; begin < bytes.size();) {
      const u64 length = std::min<u64>(zero_unit, bytes.size() - begin);
      const auto unit = bytes.subspan(begin, length);
      if (!is_zero(unit)) VDISK_TRY(target_.write(at_ + begin, unit));
      begin += length;
    }
    return {};
  }

  void lose(u64 offset, u64 length, const Error& error) {
    result_.lost_bytes += length;
    if (!result_.lost.empty()) {
      LostRange& last = result_.lost.back();
      if (last.offset + last.length == offset && last.code == error.code) {
        last.length += length;
        return;
      }
    }
    if (result_.lost.size() == Salvaged::max_lost_ranges) {
      ++result_.suppressed_ranges;
      return;
    }
    result_.lost.push_back({offset, length, error.code, error.message});
  }

  const DamagedDisk& source_;
  Disk& target_;
  Salvaged& result_;
  std::vector<std::byte> buffer_;
  u64 at_ = 0;
};

/// The leaf, rebuilt in memory.
struct Remains {
  Layer leaf;
  u64 data_end = 0;
};

Result<Remains> open_remains(const SalvageOptions& options, std::shared_ptr<File> file,
                             const Format& format, Salvaged& result) {
  Remains remains;
  VDISK_ASSIGN(const auto view, PlannedFile::create(file));
  const RebuildHints hints{.virtual_size = options.size, .block_size = options.block_size};
  VDISK_ASSIGN(Rebuilt rebuilt, format.rebuild(*view, hints));
  result.assumptions = std::move(rebuilt.assumptions);
  remains.data_end = rebuilt.data_end;
  auto remaining = std::make_shared<RemainingFile>(view, rebuilt.data_end);
  remains.leaf.path = options.source;
  remains.leaf.format = &format;
  VDISK_ASSIGN(remains.leaf.id, file->identity());
  remains.leaf.file = std::move(file);
  const ImageOptions image_options{.vhd_size = options.open.vhd_size,
                                   .metadata_cache_bytes = options.open.metadata_cache_bytes};
  VDISK_ASSIGN(remains.leaf.image, format.open(std::move(remaining), image_options));
  return remains;
}

Status check_source(const File& file, const Format& format, Salvaged& result, Progress& progress) {
  progress.phase("check");
  const ObservedFile observed(file, progress);
  const auto checked = format.check(observed, result.found);
  if (checked || !ends_everything(checked.error())) return {};
  return checked;
}

Result<Salvaged> copy_remains(const SalvageOptions& options, Remains remains, Salvaged result,
                              Progress& progress) {
  const auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(Chain chain, open_reachable_parents(std::move(remains.leaf), options.open));
  auto broken = std::move(chain.broken);
  const Disk source = DiskAccess::make(std::move(chain), Access::read_only, file_system);
  VDISK_ASSIGN(const auto plan, plan_target(options.target, {source.size(), {}}));
  VDISK_TRY(check_target(*file_system, plan, &source));
  const DamagedDisk damaged(DiskAccess::core(source), remains.data_end, std::move(broken));
  const auto fill = [&](Disk& target) {
    return SalvageCopy(damaged, target, result).run(progress);
  };
  VDISK_ASSIGN(result.created, build_image(file_system, plan, {.fill = fill}, progress));
  return result;
}

}  // namespace

Result<Salvaged> salvage(const SalvageOptions& given, Progress& progress) try {
  SalvageOptions options = given;
  options.open.access = Access::read_only;
  options.open.read_log = ReadLog::automatic;
  Salvaged result;
  const auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(auto file, open_leaf_file(*file_system, options.source, options.open));
  auto format = choose_damaged_format(*file, options);
  if (!format) {
    return std::unexpected(explain_part(*file_system, options.source, std::move(format).error()));
  }
  VDISK_TRY(check_source(*file, **format, result, progress));
  auto remains = open_remains(options, std::move(file), **format, result);
  if (!remains) return std::unexpected(at_path(options.source, std::move(remains).error()));
  return copy_remains(options, *std::move(remains), std::move(result), progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
