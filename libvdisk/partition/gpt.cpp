#include "partition/gpt.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "base/utf16.h"

namespace vdisk::partition {

namespace {

/// 16 KiB are usual; more than this is refused, so that a header cannot ask for memory.
constexpr u64 max_entries_bytes = 4 * mib;
constexpr u32 smallest_entry_size = sizeof(RawGptEntry);
/// No disk has more: in sectors of 4096 bytes these are 2^60 bytes, so that nothing overflows.
constexpr u64 max_sector_count = u64{1} << 48;

/// What a header alone can show.
bool is_sound_header(std::span<const std::byte> sector, u64 lba) {
  const auto raw = load<RawGptHeader>(sector);
  const u32 size = raw.header_size.value();
  if (!equals_text(raw.signature, gpt_signature)) return false;
  if (raw.revision.value() >> 16 != gpt_revision_1_0 >> 16) return false;
  if (size < sizeof(RawGptHeader) || size > sector.size()) return false;
  if (raw.header_crc32.value() != header_crc(sector, size)) return false;
  const u32 entry_size = raw.entry_size.value();
  const bool sizes = entry_size >= smallest_entry_size && std::has_single_bit(entry_size) &&
                     u64{raw.entry_count.value()} * entry_size <= max_entries_bytes;
  return raw.my_lba.value() == lba && sizes && raw.entry_count.value() != 0 &&
         raw.last_usable_lba.value() < max_sector_count &&
         raw.first_usable_lba.value() <= raw.last_usable_lba.value();
}

/// Whether the entries lie on the header's own side of the room for partitions. Writing one copy
/// must never hit the other.
bool has_sound_places(const RawGptHeader& raw, u64 entries_end_lba) {
  const u64 own = raw.my_lba.value();
  const u64 begin = raw.partition_entry_lba.value();
  if (own == 1) return begin > own && entries_end_lba <= raw.first_usable_lba.value();
  return begin > raw.last_usable_lba.value() && entries_end_lba <= own;
}

class GptReader {
 public:
  GptReader(const DiskBytes& disk, u32 sector_size)
      : disk_(disk), sector_size_(sector_size), sector_count_(disk.size / sector_size) {}

  Result<Gpt> run() {
    Gpt gpt{.sector_size = sector_size_};
    if (sector_count_ < smallest_sector_count) return gpt;
    VDISK_ASSIGN(gpt.primary, read_copy(1));
    VDISK_TRY(add_backup(gpt, sector_count_ - 1));
    if (gpt.primary) {
      const u64 alternate = header_of(*gpt.primary).alternate_lba.value();
      if (alternate != sector_count_ - 1) VDISK_TRY(add_backup(gpt, alternate));
    }
    if (gpt.empty()) return gpt;
    const RawGptHeader header = header_of(gpt.current());
    gpt.usable = {header.first_usable_lba.value() * sector_size_,
                  (header.last_usable_lba.value() + 1) * sector_size_};
    return gpt;
  }

 private:
  static constexpr u64 smallest_sector_count = 4;

  Status add_backup(Gpt& gpt, u64 lba) const {
    if (lba <= 1) return {};
    VDISK_ASSIGN(auto copy, read_header(lba));
    const bool same_disk =
        copy && (!gpt.primary || header_of(*copy).disk_guid == header_of(*gpt.primary).disk_guid);
    if (!same_disk) return {};
    if (has_sound_entries(*copy)) {
      gpt.backups.push_back(*std::move(copy));
    } else if (lba == sector_count_ - 1) {
      for (const ByteRange& range : copy->ranges()) gpt.remains.push_back(range);
    }
    return {};
  }

  Result<std::optional<GptCopy>> read_copy(u64 lba) const {
    VDISK_ASSIGN(auto copy, read_header(lba));
    return copy && has_sound_entries(*copy) ? std::move(copy) : std::nullopt;
  }

  /// A header that is sound in itself, and the entries that it names, whatever they are.
  Result<std::optional<GptCopy>> read_header(u64 lba) const {
    if (lba == 0 || lba >= sector_count_) return std::optional<GptCopy>();
    GptCopy copy{.header_offset = lba * sector_size_};
    copy.header.resize(sector_size_);
    VDISK_TRY(disk_.read(copy.header_offset, copy.header));
    if (!is_sound_header(copy.header, lba)) return std::optional<GptCopy>();
    const RawGptHeader raw = header_of(copy);
    const u64 length = u64{raw.entry_count.value()} * raw.entry_size.value();
    const auto offset = checked_mul(raw.partition_entry_lba.value(), sector_size_);
    if (!offset || !lies_within(*offset, length, sector_size_, disk_.size) ||
        !has_sound_places(raw, divide_up(*offset + length, sector_size_))) {
      return std::optional<GptCopy>();
    }
    copy.entries_offset = *offset;
    copy.entries.resize(length);
    VDISK_TRY(disk_.read(*offset, copy.entries));
    return std::optional<GptCopy>(std::move(copy));
  }

  [[nodiscard]] bool has_sound_entries(const GptCopy& copy) const {
    const RawGptHeader raw = header_of(copy);
    return crc32(copy.entries) == raw.entries_crc32.value() &&
           gpt_partitions(copy.entries, raw.entry_size.value(), sector_size_);
  }

  const DiskBytes& disk_;
  const u32 sector_size_;
  const u64 sector_count_;
};

}  // namespace

RawGptHeader header_of(const GptCopy& copy) {
  return load<RawGptHeader>(copy.header);
}

u32 header_crc(std::span<const std::byte> sector, u32 header_size) {
  std::vector<std::byte> bytes(sector.begin(), sector.begin() + header_size);
  store(std::span(bytes).subspan(header_crc_offset), little_uint32_buf_t(0));
  return crc32(bytes);
}

Result<Gpt> read_gpt(const DiskBytes& disk, u32 sector_size) {
  return GptReader(disk, sector_size).run();
}

std::optional<std::vector<Partition>> gpt_partitions(std::span<const std::byte> entries,
                                                     u32 entry_size, u32 sector_size) {
  std::vector<Partition> partitions;
  const u64 count = entries.size() / entry_size;
  for (u64 n = 0; n < count; ++n) {
    const auto raw = load<RawGptEntry>(entries.subspan(n * entry_size));
    if (raw.type_guid == std::array<u8, 16>{}) continue;
    const auto begin = checked_mul(raw.first_lba.value(), sector_size);
    const auto end_lba = checked_add(raw.last_lba.value(), 1);
    const auto end = end_lba ? checked_mul(*end_lba, sector_size) : std::nullopt;
    if (!begin || !end || *begin >= *end) return std::nullopt;
    partitions.push_back({.number = static_cast<u32>(n + 1),
                          .name = decode_utf16_lossy(raw.name, ByteOrder::little),
                          .begin = *begin,
                          .end = *end});
  }
  return partitions;
}

u64 Gpt::backup_bytes() const {
  return round_up(current().entries.size(), sector_size) + sector_size;
}

std::array<ByteRange, 2> GptCopy::ranges() const {
  return {ByteRange{entries_offset, entries_offset + entries.size()},
          ByteRange{header_offset, header_offset + header.size()}};
}

}  // namespace vdisk::partition
