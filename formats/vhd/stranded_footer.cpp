/// Backward search from the end of the file, or from the hole that reaches it.
#include "formats/vhd/stranded_footer.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/same_bytes.h"
#include "base/try.h"

namespace vdisk::vhd {

namespace {

/// More holes than this are not walked: the cost of opening stays bounded.
constexpr std::size_t max_holes = 4096;
/// Zeros that are read where the host cannot tell holes.
constexpr u64 max_zeros_read = 8 * mib;
constexpr u64 piece_size = 64 * kib;

/// Where the zeros that reach the end of the file begin, as far as the host's map tells.
Result<u64> end_of_data(const File& file, u64 file_size) {
  u64 at = 0;
  for (std::size_t count = 0; count < max_holes && at < file_size; ++count) {
    VDISK_ASSIGN(const Hole hole, file.next_hole(at));
    if (hole.length == 0) break;
    if (hole.length >= file_size - hole.offset) return hole.offset;
    at = hole.offset + hole.length;
  }
  return file_size;
}

/// Offset of the last sector of the piece that is not zero; empty when all of it is.
std::optional<u64> last_used_sector(std::span<const std::byte> piece, u64 offset) {
  for (u64 at = round_up(piece.size(), sector_size); at > 0; at -= sector_size) {
    const auto rest = piece.subspan(at - sector_size);
    if (!is_zero(rest.first(std::min<u64>(rest.size(), sector_size)))) {
      return offset + at - sector_size;
    }
  }
  return std::nullopt;
}

Result<std::optional<u64>> find_last_used_sector(const File& file, u64 end) {
  std::vector<std::byte> buffer(piece_size);
  const u64 stop = end > max_zeros_read ? round_down(end - max_zeros_read, piece_size) : 0;
  while (end > stop) {
    const u64 begin = round_down(end - 1, piece_size);
    const auto piece = std::span(buffer).first(end - begin);
    VDISK_TRY(file.read_at(begin, piece));
    if (const auto found = last_used_sector(piece, begin)) return found;
    end = begin;
  }
  return std::optional<u64>{};
}

/// Whether a sector is what a write of `bytes` over zeros may have left.
bool is_torn(std::span<const std::byte> sector, std::span<const std::byte> bytes) {
  constexpr u64 unit = 64;
  for (u64 at = 0; at < sector.size(); at += unit) {
    const auto piece = sector.subspan(at, unit);
    if (!is_zero(piece) && !same_bytes(piece, bytes.subspan(at, unit))) return false;
  }
  return true;
}

}  // namespace

Result<std::optional<FooterCopy>> find_stranded_footer(const File& file, u64 file_size) {
  const std::optional<FooterCopy> none;
  if (file_size < 2 * footer_size) return none;
  const u64 last = file_size - footer_size;
  std::array<std::byte, footer_size> end{};
  VDISK_TRY(file.read_at(last, end));
  VDISK_ASSIGN(const u64 data_end, end_of_data(file, file_size));
  VDISK_ASSIGN(const auto sector, find_last_used_sector(file, std::min(data_end, last)));
  if (!sector || *sector + footer_size > last) return none;
  std::array<std::byte, footer_size> bytes{};
  VDISK_TRY(file.read_at(*sector, bytes));
  if (classify_footer(bytes) != FooterState::valid || !is_torn(end, bytes)) return none;
  const Footer footer = decode_footer(bytes);
  if (!footer.is(DiskType::fixed) || footer.current_size > *sector) return none;
  return std::optional<FooterCopy>(FooterCopy{*sector, footer_size, FooterState::valid, footer});
}

}  // namespace vdisk::vhd
