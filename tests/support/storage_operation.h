/// One thing that is asked of storage, and whoever wants to know of it: recorders and faults.
#pragma once

#include <span>
#include <string>

#include "vdisk/error.h"

namespace vdisk::test {

struct StorageOperation {
  enum class Kind {
    read,
    write,
    zero,
    punch,
    resize,      ///< `length` is the new size
    flush,       ///< of one file
    create,      ///< `name` exists from now on
    rename,      ///< `name` becomes `new_name`
    remove,      ///< `name`
    sync_names,  ///< the names are durable
    mark,        ///< not of storage: `offset` is the number of a note of the test
  };
  Kind kind = Kind::mark;
  u64 file = 0;  ///< number of the file
  u64 offset = 0;
  u64 length = 0;
  std::span<const std::byte> data = {};  ///< write
  std::string name = {};
  std::string new_name = {};
};

[[nodiscard]] std::string_view name(StorageOperation::Kind kind) noexcept;

/// Threads: called on the thread that uses the storage.
class StorageHook {
 public:
  StorageHook() = default;
  StorageHook(const StorageHook&) = delete;
  StorageHook& operator=(const StorageHook&) = delete;
  virtual ~StorageHook() = default;
  /// Called before the operation. An error makes it fail; what is left of `operation.data` of a
  /// write is stored all the same.
  virtual Status before(StorageOperation& operation) = 0;
};

}  // namespace vdisk::test
