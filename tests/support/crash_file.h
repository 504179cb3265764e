/// A file whose machine may lose power: what was not flushed persists in part (DESIGN section 4).
///
/// Between two flushes any subset of the changes, writes torn at 512 bytes, may persist, in any
/// order, and the size independently of them.
#pragma once

#include <limits>
#include <mutex>
#include <random>
#include <vector>

#include "io/memory_file.h"
#include "support/forwarding_file.h"

namespace vdisk::test {

/// The crash comes right before one of the calls: what it leaves is kept, and the calls go on as if
/// nothing had happened, so that the code under test runs to its end. Threads: as File.
class CrashFile : public ForwardingFile {
 public:
  /// What `start` holds is durable.
  explicit CrashFile(const MemoryFile& start);

  /// The power fails before the change or flush of that index, counted from now on.
  void crash_before(u64 call_index, u32 seed);
  /// The power fails now, unless it has already.
  void crash_now();
  [[nodiscard]] bool crashed() const;
  /// What the crash left. Requires crashed().
  [[nodiscard]] std::shared_ptr<MemoryFile> remains() const;

  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  Status resize(u64 new_size) override;
  Status flush() override;

 private:
  struct Change {
    enum class Kind { write, zero, resize } kind = Kind::write;
    u64 offset = 0;
    u64 length = 0;  ///< of a resize: the new size
    std::vector<std::byte> data = {};
  };
  [[nodiscard]] std::shared_ptr<MemoryFile> remains_of_crash();
  void count_call();
  static void apply(MemoryFile& file, const Change& change);
  static void apply_torn(MemoryFile& file, const Change& change, std::mt19937& random);
  void record(Change change);

  std::shared_ptr<MemoryFile> durable_;
  mutable std::mutex mutex_;
  std::vector<Change> volatile_;
  std::mt19937 random_;
  u64 calls_left_ = std::numeric_limits<u64>::max();
  std::shared_ptr<MemoryFile> remains_;
};

}  // namespace vdisk::test
