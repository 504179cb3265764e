#include "engine/undo_file.h"

#include <functional>
#include <vector>

#include <fmt/format.h>

#include "base/same_bytes.h"
#include "base/try.h"
#include "engine/undo_format.h"

namespace vdisk {

namespace {

using namespace undo;

using Bytes = std::vector<std::byte>;

std::unexpected<Error> damaged(const File& file, u64 offset, std::string_view what) {
  return fail_at(offset, Errc::corrupt,
                 fmt::format("{}: undo file at {:#x}: {}", file.name(), offset, what));
}

Result<Header> read_header(const File& file) {
  Header header{};
  VDISK_ASSIGN(const u64 size, file.size());
  if (size >= header_size) VDISK_TRY(file.read_at(0, header));
  if (!std::ranges::equal(std::span(header).first(magic.size()), as_bytes(magic))) {
    return fail(Errc::not_image, fmt::format("{}: not an undo file", file.name()));
  }
  if (get(std::span(header).subspan(at_header_crc), sizeof(u32)) != crc_of(header)) {
    return damaged(file, 0, "wrong checksum of the header");
  }
  if (field(header, at_version) != version) {
    return fail(Errc::unsupported_version,
                fmt::format("{}: undo file of version {}, expected {}", file.name(),
                            field(header, at_version), version));
  }
  if (field(header, at_body_size) != size - header_size) {
    return damaged(file, header_size, "cut off, or longer than it says");
  }
  return header;
}

Status check_body(const File& file, const Header& header) {
  Bytes buffer(mib);
  u32 crc = 0;
  const u64 size = field(header, at_body_size);
  for (u64 done = 0; done < size;) {
    const auto part = std::span(buffer).first(std::min<u64>(buffer.size(), size - done));
    VDISK_TRY(file.read_at(header_size + done, part));
    crc = crc32c(part, crc);
    done += part.size();
  }
  return crc == field(header, at_body_crc) ? Status()
                                           : damaged(file, header_size, "wrong checksum");
}

/// What an undo file knows about a piece.
struct KeptPiece {
  Piece piece;
  Bytes versions;  ///< sector and checksum of what the repair writes
  Bytes old;       ///< empty: zeros
};
using PieceVisitor = std::function<Status(const KeptPiece&)>;

Piece decode_piece(std::span<const std::byte> record) {
  return {get(record), get(record.subspan(8)), get(record.subspan(16)) != 0,
          get(record.subspan(24))};
}

Status for_each_piece(const File& file, const Header& header, const PieceVisitor& visit) {
  const u64 end = header_size + field(header, at_body_size);
  std::array<std::byte, record_size> record{};
  KeptPiece kept;
  for (u64 place = header_size; place < end;) {
    if (end - place < record_size) return damaged(file, place, "a piece is cut off");
    VDISK_TRY(file.read_at(place, record));
    const Piece piece = decode_piece(record);
    const bool sane = piece.length != 0 && piece.length <= piece_size &&
                      checked_add(piece.offset, 2 * piece_size) &&
                      piece.version_count <= max_versions && piece.stored_size() <= end - place;
    if (!sane) return damaged(file, place, "a piece is not sane");
    kept.piece = piece;
    kept.versions.resize(piece.version_count * version_size);
    VDISK_TRY(file.read_at(place + record_size, kept.versions));
    kept.old.resize(piece.old_is_zero ? 0 : piece.length);
    VDISK_TRY(file.read_at(place + record_size + kept.versions.size(), kept.old));
    VDISK_TRY(visit(kept));
    place += piece.stored_size();
  }
  return {};
}

std::unexpected<Error> changed_since(const File& image, u64 offset) {
  return fail_at(offset, Errc::wrong_state,
                 fmt::format("{}: changed at {:#x} since the repair, expected what the repair left",
                             image.name(), offset));
}

bool is_version(const KeptPiece& kept, u64 sector, u32 crc) {
  for (u64 n = 0; n < kept.piece.version_count; ++n) {
    const auto entry = std::span(kept.versions).subspan(n * version_size, version_size);
    if (get(entry, 4) == sector && get(entry.subspan(4), 4) == crc) return true;
  }
  return false;
}

/// Every sector must be as before the repair, or as the repair wrote it.
Status check_piece(const File& image, const KeptPiece& kept, Bytes& now) {
  const Piece& piece = kept.piece;
  now.resize(piece.length);
  VDISK_TRY(read_padded(image, piece.offset, now));
  for (u64 n = 0; n < piece.sector_count(); ++n) {
    const auto sector = piece.sector(now, n);
    const bool old =
        piece.old_is_zero ? is_zero(sector) : same_bytes(sector, piece.sector(kept.old, n));
    if (!old && !is_version(kept, n, crc32c(sector))) return changed_since(image, piece.offset);
  }
  return {};
}

}  // namespace

Status read_padded(const File& file, u64 offset, std::span<std::byte> out) {
  VDISK_ASSIGN(const u64 size, file.size());
  const u64 stored = offset < size ? std::min<u64>(out.size(), size - offset) : 0;
  std::ranges::fill(out.subspan(stored), std::byte{});
  return stored == 0 ? Status() : file.read_at(offset, out.first(stored));
}

Result<UndoSummary> check_undo_file(const File& undo_file, const File& image) {
  VDISK_ASSIGN(const Header header, read_header(undo_file));
  VDISK_TRY(check_body(undo_file, header));
  UndoSummary summary{.old_size = field(header, at_old_size),
                      .new_size = field(header, at_new_size)};
  VDISK_ASSIGN(const u64 size, image.size());
  if (size < field(header, at_least_size) || size > field(header, at_largest_size)) {
    return changed_since(image, size);
  }
  Bytes now;
  VDISK_TRY(for_each_piece(undo_file, header, [&](const KeptPiece& kept) {
    summary.bytes += kept.piece.length;
    return check_piece(image, kept, now);
  }));
  return summary;
}

Status apply_undo_file(const File& undo_file, File& image) {
  VDISK_ASSIGN(const Header header, read_header(undo_file));
  VDISK_ASSIGN(const u64 size, image.size());
  const u64 old_size = field(header, at_old_size);
  if (size < old_size) VDISK_TRY(image.resize(old_size));
  VDISK_TRY(for_each_piece(undo_file, header, [&image](const KeptPiece& kept) {
    const Piece& piece = kept.piece;
    return piece.old_is_zero ? image.zero_at(piece.offset, piece.length)
                             : image.write_at(piece.offset, kept.old);
  }));
  VDISK_TRY(image.resize(old_size));
  return image.flush();
}

}  // namespace vdisk
