/// The two headers: which one is current, what it must say, and how it is replaced (FORMATS 2.3).
///
/// Invariant of an update: the slot that is not current is written and flushed; at every instant
/// one slot is valid.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "formats/vhdx/objections.h"
#include "formats/vhdx/structures.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// The only version of the format.
inline constexpr u16 format_version = 1;
/// The only log version we can replay or write.
inline constexpr u16 supported_log_version = 0;
/// Largest log that is accepted (FORMATS D21): its index has to fit into memory.
inline constexpr u64 max_log_length = gib;
/// Header updates that must be left before SequenceNumber wraps, to open for writing.
inline constexpr u64 min_sequence_numbers_left = 1024;

struct Header {
  u64 sequence_number = 0;
  Guid file_write_guid = {};
  Guid data_write_guid = {};
  Guid log_guid = {};  ///< zero: the log is empty
  u16 log_version = supported_log_version;
  u16 version = format_version;
  u32 log_length = 0;
  u64 log_offset = 0;

  auto operator<=>(const Header&) const = default;
};

/// The 4096 bytes of a slot, with CRC.
[[nodiscard]] std::array<std::byte, header_size> encode(const Header& header);
/// Empty when signature or CRC are wrong. `slot` holds at least 4096 bytes.
[[nodiscard]] std::optional<Header> decode_header(std::span<const std::byte> slot);

struct HeaderPair {
  Header current;
  int current_slot = 0;      ///< 0 or 1: index into header_slot_offsets
  bool other_valid = false;  ///< false: the other slot has to be repaired (X4)
  /// Both are valid with one sequence number but differ: slot 0 is taken, nothing may be written
  /// and only check and dump go on (X5).
  bool ambiguous = false;
  bool identical = false;      ///< both slots hold the same bytes (disk2vhd writes that)
  bool reserved_used = false;  ///< reserved bytes of the current slot are not zero (X10)

  [[nodiscard]] u64 current_offset() const { return header_slot_offsets[current_slot]; }
};

/// Selects the current header. Errors: X3 (none valid), io.
[[nodiscard]] Result<HeaderPair> read_headers(const File& file);
/// What the current header says: X5 (ambiguous), X6..X9. False: the log cannot be used.
[[nodiscard]] Result<bool> validate(const HeaderPair& headers, u64 file_size,
                                    Objections& objections);
/// The same, ending at the first broken rule.
[[nodiscard]] Status validate(const HeaderPair& headers, u64 file_size);

/// One header update: writes `changed` with the next sequence number into the slot that is not
/// current, flushes, and makes it current in `headers`. Errors: wrong_state when the number would
/// wrap. Crash: the old or the new header is current.
[[nodiscard]] Status update_header(File& file, HeaderPair& headers, const Header& changed);

}  // namespace vdisk::vhdx
