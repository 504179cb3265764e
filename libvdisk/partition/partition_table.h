/// Where the partitions of a disk are: MBR with its chain of extended records, and GPT with both
/// of its copies.
///
/// Content of a disk is untrusted: entry counts are bounded, offsets are checked for overflow, and
/// what does not add up makes a table unusable, never a failure. Nothing here writes.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vdisk/error.h"

namespace vdisk::partition {

/// A disk as this folder sees it.
struct DiskBytes {
  u64 size = 0;
  u32 sector_size = 512;  ///< logical; sectors of a table are counted in it
  /// Reads inside the disk.
  std::function<Status(u64 offset, std::span<std::byte> out)> read;
};

/// Bytes of a disk.
struct ByteRange {
  u64 begin = 0;
  u64 end = 0;  ///< exclusive
  auto operator<=>(const ByteRange&) const = default;
};

struct Partition {
  u32 number = 0;    ///< as operating systems count: MBR 1..4, logical ones from 5; GPT from 1
  std::string name;  ///< UTF-8; of an MBR partition its type
  u64 begin = 0;     ///< bytes
  u64 end = 0;       ///< bytes, exclusive; may lie behind the end of the disk
};

/// One valid copy of a GPT: a header and the entries that it names.
struct GptCopy {
  u64 header_offset = 0;
  u64 entries_offset = 0;
  std::vector<std::byte> header = {};   ///< the whole sector
  std::vector<std::byte> entries = {};  ///< the array, without padding

  [[nodiscard]] std::array<ByteRange, 2> ranges() const;
};

struct Gpt {
  u32 sector_size = 512;
  ByteRange usable = {};  ///< the room for partitions
  /// Valid when set; `primary` at the second sector.
  std::optional<GptCopy> primary = {};
  /// Copies that are sound, belong to the same disk, and are not the primary: at the last sector,
  /// and where the primary says, if that is elsewhere.
  std::vector<GptCopy> backups = {};
  /// What a header in the last sector claims whose entries are not sound: an interrupted move has
  /// written over them.
  std::vector<ByteRange> remains = {};

  /// No copy is sound: nothing else of this means anything.
  [[nodiscard]] bool empty() const { return !primary && backups.empty(); }
  /// The copy that counts: the primary if it is sound.
  [[nodiscard]] const GptCopy& current() const { return primary ? *primary : backups.front(); }
  /// What a copy of the array and a header take at the end of a disk.
  [[nodiscard]] u64 backup_bytes() const;
};

enum class Scheme { none, mbr, gpt };

struct PartitionTable {
  Scheme scheme = Scheme::none;
  bool damaged = false;  ///< Scheme::none, although the disk says that it has a GPT
  std::vector<Partition> partitions = {};
  std::optional<Gpt> gpt = {};

  /// End of the partition that reaches farthest; null without partitions.
  [[nodiscard]] const Partition* last() const;
  /// The smallest disk that holds all partitions and the table; empty where nobody can know.
  [[nodiscard]] std::optional<u64> smallest_size() const;
  /// The partitions end before `size`, and the backup of a GPT finds room behind them.
  [[nodiscard]] bool fits(u64 size) const;

 private:
  [[nodiscard]] std::optional<u64> needed_size() const;
};

/// Errors: those of disk.read.
[[nodiscard]] Result<PartitionTable> read_partition_table(const DiskBytes& disk);

}  // namespace vdisk::partition
