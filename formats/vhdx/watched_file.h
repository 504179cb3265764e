/// The file of an image that is being written, with what is known about its durability.
///
/// Invariant: after a failed flush nothing is written or flushed through it any more.
/// Threads: safe.
#pragma once

#include <atomic>

#include "vdisk/file.h"

namespace vdisk::vhdx {

class WatchedFile {
 public:
  explicit WatchedFile(File& file) : file_(file) {}

  [[nodiscard]] File& file() const { return file_; }
  /// Flushes; a failure poisons.
  Status sync();
  /// poisoned, once a flush has failed.
  [[nodiscard]] Status require_healthy() const;
  /// A file size that the last successful sync made durable; 0 before it.
  [[nodiscard]] u64 durable_size() const { return durable_size_; }

 private:
  File& file_;
  std::atomic<bool> poisoned_ = false;
  std::atomic<u64> durable_size_ = 0;
};

}  // namespace vdisk::vhdx
