/// Counts what is asked of a File: the figures of PERFORMANCE and the design are counts.
#pragma once

#include <atomic>

#include "support/forwarding_file.h"

namespace vdisk::test {

struct FileCounts {
  u64 reads = 0;
  u64 read_bytes = 0;
  u64 writes = 0;  ///< write_at only
  u64 written_bytes = 0;
  u64 zeroings = 0;  ///< zero_at
  u64 zeroed_bytes = 0;
  u64 punches = 0;
  u64 punched_bytes = 0;
  u64 copies = 0;  ///< copy_from
  u64 copied_bytes = 0;
  u64 resizes = 0;
  u64 flushes = 0;
  u64 hole_queries = 0;

  auto operator<=>(const FileCounts&) const = default;
  /// Calls that change the file.
  [[nodiscard]] u64 changes() const { return writes + zeroings + punches + copies + resizes; }
};

/// Threads: as File. Calls are counted whether they succeed or not.
class CountingFile : public ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;

  [[nodiscard]] FileCounts counts() const;
  void reset();

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  Status resize(u64 new_size) override;
  Status flush() override;
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;

 private:
  struct Counter {
    std::atomic<u64> calls = 0;
    std::atomic<u64> bytes = 0;
    void add(u64 length) {
      ++calls;
      bytes += length;
    }
    void reset() { calls = bytes = 0; }
  };
  mutable Counter reads_, hole_queries_;
  Counter writes_, zeroings_, punches_, copies_, resizes_, flushes_;
};

}  // namespace vdisk::test
