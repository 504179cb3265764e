/// What was done to a file system, in order, so that the states that a power failure could leave at
/// any instant can be made from it.
#pragma once

#include <vector>

#include "support/paged_filesystem.h"

namespace vdisk::test {

/// An operation with its own copy of the data.
struct Recorded {
  StorageOperation operation;
  std::vector<std::byte> data = {};

  /// Whether it changes bytes of a file.
  [[nodiscard]] bool changes_bytes() const;
  [[nodiscard]] bool changes_names() const;
  [[nodiscard]] std::string describe() const;
};

struct Recording {
  FileTree start;  ///< all of it durable
  std::vector<Recorded> operations;
  std::size_t examine_from = 0;  ///< no crash before this operation is of interest
};

/// Appends every change, flush and mark. Threads: as StorageHook.
class Recorder : public StorageHook {
 public:
  explicit Recorder(FileTree start) : recording_{std::move(start), {}, 0} {}

  Status before(StorageOperation& operation) override;
  /// Notes that something is known from here on.
  void mark(u64 number);
  [[nodiscard]] const Recording& recording() const { return recording_; }
  /// Crashes are of interest from here on.
  void examine_from_here() { recording_.examine_from = recording_.operations.size(); }
  [[nodiscard]] Recording take() { return std::move(recording_); }

 private:
  Recording recording_;
};

}  // namespace vdisk::test
