#include "partition/mbr.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk::partition {

namespace {

constexpr u8 boot_flag = 0x80;
/// Linux names no more logical partitions of one disk.
constexpr std::size_t max_logical = 128;
constexpr u32 first_logical_number = 5;

bool is_extended(u8 type) {
  return type == 0x05 || type == 0x0F || type == 0x85;
}

bool can_be_entry(const RawMbrEntry& entry) {
  if (entry.status != 0 && entry.status != boot_flag) return false;
  return entry.type == type_empty ||
         (entry.first_lba.value() != 0 && entry.sector_count.value() != 0);
}

Partition partition_of(const RawMbrEntry& entry, u64 base_lba, u32 sector_size, u32 number) {
  // 32-bit sector numbers of at most 4096 bytes: nothing overflows.
  const u64 begin = (base_lba + entry.first_lba.value()) * sector_size;
  return {.number = number,
          .name = is_extended(entry.type) ? std::string("extended")
                                          : fmt::format("type {:#04x}", entry.type),
          .begin = begin,
          .end = begin + u64{entry.sector_count.value()} * sector_size};
}

Result<RawMbr> read_record(const DiskBytes& disk, u64 offset) {
  RawMbr raw{};
  VDISK_TRY(disk.read(offset, writable_bytes_of(raw)));
  return raw;
}

/// The chain inside one extended partition: each record names one partition and the next record.
class LogicalChain {
 public:
  LogicalChain(const DiskBytes& disk, const Partition& extended)
      : disk_(disk), begin_(extended.begin), end_(std::min(extended.end, disk.size)) {}

  Status append_to(std::vector<Partition>& partitions) const {
    u64 record = begin_;
    for (std::size_t count = 0; count < max_logical; ++count) {
      if (!lies_within(record, mbr_size, begin_, end_)) return {};
      VDISK_ASSIGN(const RawMbr raw, read_record(disk_, record));
      if (raw.signature.value() != mbr_signature) return {};
      const u32 number = first_logical_number + static_cast<u32>(count);
      const RawMbrEntry& own = raw.entries[0];
      if (own.type != type_empty && can_be_entry(own)) {
        partitions.push_back(
            partition_of(own, record / disk_.sector_size, disk_.sector_size, number));
      }
      const RawMbrEntry& link = raw.entries[1];
      const u64 next = begin_ + u64{link.first_lba.value()} * disk_.sector_size;
      // Only forwards: a chain that turns back never ends.
      if (!is_extended(link.type) || next <= record) return {};
      record = next;
    }
    return {};
  }

 private:
  const DiskBytes& disk_;
  u64 begin_;
  u64 end_;
};

}  // namespace

bool Mbr::is_protective() const {
  return sound && std::ranges::any_of(raw.entries, [](const RawMbrEntry& entry) {
           return entry.type == type_protective;
         });
}

bool Mbr::is_empty() const {
  return std::ranges::all_of(raw.entries,
                             [](const RawMbrEntry& entry) { return entry.type == type_empty; });
}

Result<Mbr> read_mbr(const DiskBytes& disk) {
  Mbr mbr;
  if (disk.size < mbr_size) return mbr;
  VDISK_ASSIGN(mbr.raw, read_record(disk, 0));
  mbr.is_signed = mbr.raw.signature.value() == mbr_signature;
  mbr.sound = mbr.is_signed && std::ranges::all_of(mbr.raw.entries, can_be_entry);
  return mbr;
}

Result<std::vector<Partition>> mbr_partitions(const DiskBytes& disk, const Mbr& mbr) {
  std::vector<Partition> partitions;
  std::vector<Partition> logical;
  for (std::size_t n = 0; n < mbr_entry_count; ++n) {
    const RawMbrEntry& entry = mbr.raw.entries[n];
    if (entry.type == type_empty) continue;
    partitions.push_back(partition_of(entry, 0, disk.sector_size, static_cast<u32>(n + 1)));
    if (is_extended(entry.type) && logical.empty()) {
      VDISK_TRY(LogicalChain(disk, partitions.back()).append_to(logical));
    }
  }
  partitions.insert(partitions.end(), logical.begin(), logical.end());
  return partitions;
}

}  // namespace vdisk::partition
