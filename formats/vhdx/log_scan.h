/// Finds the entries of the log and the active sequence among them (FORMATS 2.5.4).
///
/// One linear pass with one small buffer, whatever the ring holds: a valid entry never begins
/// inside another one, because its sectors then begin with `data` or with a descriptor, so at most
/// one entry is open at a time. Only the index of valid entries is kept.
#pragma once

#include <span>
#include <vector>

#include "formats/vhdx/header.h"
#include "formats/vhdx/log_entry.h"
#include "vdisk/file.h"

namespace vdisk::vhdx {

/// A valid entry: where it begins in the log, and what links it to others.
struct LogEntryPlace {
  u32 offset = 0;  ///< from the start of the log
  u32 length = 0;
  u32 tail = 0;
  u64 sequence_number = 0;
};

struct LogIndex {
  std::vector<LogEntryPlace> entries;  ///< valid ones of the current LogGuid, by ascending offset
  /// Some sector begins an entry of the current LogGuid, valid or not. False: nothing has reached
  /// the log since the header named this LogGuid.
  bool touched = false;
};

/// Errors: io.
[[nodiscard]] Result<LogIndex> index_log(const File& file, const Header& header);

/// The entries from the one named by the newest entry's Tail up to the newest, in order; empty
/// when there is no active sequence. `entries` as index_log returns them.
[[nodiscard]] std::vector<LogEntryPlace> select_active_sequence(
    std::span<const LogEntryPlace> entries, u32 log_length);

struct ActiveSequence {
  /// From tail to newest. Empty: the log was not touched yet, there is nothing to replay.
  std::vector<LogEntryPlace> entries;
  u64 flushed_file_offset = 0;  ///< of the newest entry
  u64 last_file_offset = 0;     ///< of the newest entry
};

/// A writer that makes LogGuid durable before its first entry (QEMU) and dies in between leaves a
/// log without a trace of that LogGuid. Nothing was applied then, and the sequence is empty.
/// Errors: X11 (entries, but no active sequence), io.
[[nodiscard]] Result<ActiveSequence> find_active_sequence(const File& file, const Header& header);

/// Reads from the ring; `offset` may be behind its end by less than its length.
[[nodiscard]] Status read_log(const File& file, const Header& header, u64 offset,
                              std::span<std::byte> out);

}  // namespace vdisk::vhdx
