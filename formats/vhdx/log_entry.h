/// One entry of the log: bytes to values and back (FORMATS 2.5.1 to 2.5.3).
///
/// An entry is validated sector by sector, so that a log of any size is scanned with one small
/// buffer. Anything wrong merely means that there is no entry: torn, stale and foreign bytes are
/// normal in the ring.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "formats/vhdx/structures.h"
#include "vdisk/guid.h"
#include "vdisk/types.h"

namespace vdisk::vhdx {

struct LogEntryHeader {
  u32 checksum = 0;
  u32 entry_length = 0;
  u32 tail = 0;  ///< from the start of the log
  u64 sequence_number = 0;
  u32 descriptor_count = 0;
  Guid log_guid = {};
  u64 flushed_file_offset = 0;
  u64 last_file_offset = 0;
};

/// What an entry must fit into.
struct LogRing {
  Guid log_guid = {};
  u32 log_length = 0;
};

struct LogDescriptor {
  bool is_zero = false;
  u64 file_offset = 0;
  u64 length = 0;  ///< 4096 for data, ZeroLength for zeros
  u64 sequence_number = 0;
  std::array<std::byte, 8> leading_bytes{};   ///< data only
  std::array<std::byte, 4> trailing_bytes{};  ///< data only
};

/// Sectors of header and descriptors.
[[nodiscard]] u64 descriptor_sector_count(u64 descriptor_count);
/// Descriptors that begin in one of these sectors: 126 in the first, 128 in the others.
[[nodiscard]] u64 descriptors_in_sector(u64 sector_index, u64 descriptor_count);
/// Where the first of them is, in bytes from the start of the sector.
[[nodiscard]] u64 first_descriptor_in_sector(u64 sector_index);

/// Empty without the signature. `bytes` holds at least 64.
[[nodiscard]] std::optional<LogEntryHeader> decode_log_entry_header(
    std::span<const std::byte> bytes);
/// Empty without one of the two signatures. `bytes` holds at least 32.
[[nodiscard]] std::optional<LogDescriptor> decode_log_descriptor(std::span<const std::byte> bytes);
/// The page that a data descriptor and its data sector stand for.
[[nodiscard]] std::array<std::byte, log_sector_size> rebuild_page(
    const LogDescriptor& descriptor, std::span<const std::byte> data_sector);

/// Takes the sectors of one entry in order and tells whether they are one (2.5.3).
class LogEntryParser {
 public:
  enum class Step { more, complete, invalid };

  /// Begins an entry with its first sector.
  Step begin(const LogRing& ring, std::span<const std::byte> sector);
  /// The next sector of the entry. Only after Step::more.
  Step next(std::span<const std::byte> sector);
  [[nodiscard]] const LogEntryHeader& header() const { return header_; }

 private:
  bool take_descriptors(std::span<const std::byte> sector);
  [[nodiscard]] bool is_data_sector(std::span<const std::byte> sector) const;
  [[nodiscard]] Step step_after(bool accepted);

  LogEntryHeader header_;
  u64 sector_count_ = 0;             ///< of the whole entry
  u64 descriptor_sector_count_ = 0;  ///< of these, at the start
  u64 taken_ = 0;                    ///< sectors seen
  u64 data_descriptor_count_ = 0;
  u32 crc_ = 0;
};

/// The whole of 2.5.3 for an entry in memory; empty when it is not valid.
[[nodiscard]] std::optional<LogEntryHeader> parse_log_entry(std::span<const std::byte> entry,
                                                            const LogRing& ring);

/// A page that the entry shall replace.
struct LogPage {
  u64 file_offset = 0;                   ///< multiple of 4096
  std::span<const std::byte> data = {};  ///< 4096 bytes
};

struct LogEntrySpec {
  Guid log_guid = {};
  u64 sequence_number = 0;
  u32 tail = 0;
  u64 flushed_file_offset = 0;
  u64 last_file_offset = 0;
  std::span<const LogPage> pages = {};
};

/// Bytes of an entry with this many pages.
[[nodiscard]] u64 log_entry_length(u64 page_count);
/// The bytes of an entry with one data descriptor for each page, with CRC.
[[nodiscard]] std::vector<std::byte> encode_log_entry(const LogEntrySpec& spec);

}  // namespace vdisk::vhdx
