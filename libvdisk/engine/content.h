/// What a disk really holds: its map without zeros, parents' gaps and holes of the host's files.
#pragma once

#include "engine/disk_core.h"

namespace vdisk {

/// Bytes of the guest's disk.
struct GuestRange {
  u64 begin = 0;
  u64 end = 0;  ///< exclusive
};

/// A run that either may hold data or certainly reads as zeros.
struct ContentRun {
  u64 offset = 0;
  u64 length = 0;
  bool data = false;
  /// Whose bytes they are; null for zeros, and for bytes of a parent that was not opened.
  const Layer* layer = nullptr;
  u64 file_offset = 0;
};

/// The run at `offset`, at most `limit` bytes.
Result<ContentRun> content_run_at(const Disk::Core& disk, u64 offset, u64 limit);

/// The same for any offset: behind the end of the disk everything is zeros.
Result<ContentRun> padded_run_at(const Disk& disk, u64 offset, u64 limit);

/// Whether the range reads as zeros; what is behind the end of the disk does. `buffer` is scratch.
Result<bool> reads_zero(const Disk& disk, u64 offset, u64 length, std::span<std::byte> buffer);

/// Payload moves in pieces of this size: large enough to amortise calls, small enough to stay in
/// the processor's cache between reading, testing for zeros and writing.
inline constexpr u64 piece_size = 512 * kib;

}  // namespace vdisk
