/// The seam to storage: `File` is the only door to bytes, `FileSystem` the only door to names.
///
/// Both are interfaces so that tests can fake them (memory, recording, faults) and callers can
/// supply their own storage.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "vdisk/error.h"
#include "vdisk/extent.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// Identifies an open file independent of its name.
struct FileId {
  u64 device = 0;
  u64 inode = 0;
  auto operator<=>(const FileId&) const = default;
};

/// Positional, cursor-less file. Threads: every function may be called from many threads at once.
///
/// Crash: between two flushes any subset of the writes, torn at 512 bytes and in any order, may
/// persist, and the size independently of them. After flush() returned success all of it does.
class File {
 public:
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  virtual ~File() = default;

  /// Fills `out` entirely or fails; reading past the end is Errc::end_of_file.
  virtual Status read_at(u64 offset, std::span<std::byte> out) const = 0;
  /// Writes all of `data`, extending the file where needed.
  virtual Status write_at(u64 offset, std::span<const std::byte> data) = 0;
  /// Makes the range read as zeros; may keep the space allocated; extends the file where needed.
  virtual Status zero_at(u64 offset, u64 length) = 0;
  /// Makes the range read as zeros and gives its space back where the host can; never extends.
  virtual Status punch_at(u64 offset, u64 length) = 0;
  /// Copies a range of `source` here: by cloning or in the kernel where possible, else by a loop.
  virtual Status copy_from(const File& source, u64 source_offset, u64 target_offset,
                           u64 length) = 0;
  /// Lets a range of this file share the storage of a range of `source`. False, and nothing has
  /// changed, where the host cannot do that for these files, offsets and lengths.
  virtual Result<bool> clone_from(const File& source, u64 source_offset, u64 target_offset,
                                  u64 length);
  [[nodiscard]] virtual Result<u64> size() const = 0;
  /// Cuts or extends; new bytes read as zeros.
  virtual Status resize(u64 new_size) = 0;
  /// All earlier writes and the size are durable when this succeeds. After a failure the handle is
  /// poisoned: every later write or flush fails with Errc::poisoned.
  virtual Status flush() = 0;
  /// The first hole at or after `offset` (of a hole around `offset`, the part from there on);
  /// {size, 0} when there is none.
  [[nodiscard]] virtual Result<Hole> next_hole(u64 offset) const;
  /// Host bytes really occupied; equals size() where the host cannot tell.
  [[nodiscard]] virtual Result<u64> allocated_size() const { return size(); }
  [[nodiscard]] virtual Result<FileId> identity() const = 0;
  /// Last modification, seconds since 1970 (VHD parent time stamps).
  [[nodiscard]] virtual Result<i64> modified_time() const { return i64{0}; }
  /// Sets it. Storage that keeps no times does nothing.
  virtual Status set_modified_time(i64 /*seconds*/) { return {}; }
  /// The operating system's descriptor, for callers that do their own payload I/O; owned by the
  /// file. Empty where there is none (memory, a log replayed in memory, storage of the caller).
  [[nodiscard]] virtual std::optional<int> native_descriptor() const { return std::nullopt; }
  /// The name used in error messages.
  [[nodiscard]] virtual const std::string& name() const = 0;
};

enum class Access { read_only, read_write };
/// Advisory whole-image locks between processes (and between handles of one process).
enum class Lock { none, shared, exclusive };

struct FileOptions {
  Access access = Access::read_only;
  Lock lock = Lock::none;
  bool allow_device = false;  ///< accept block devices too; otherwise regular files only
};

/// Names, temporaries and durable publication. Threads: safe for concurrent use.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  /// Opens an existing file. Errors: file_not_found, path_not_found, access_denied, not_regular,
  /// busy (the lock is held elsewhere), io.
  virtual Result<std::shared_ptr<File>> open(const std::filesystem::path& path,
                                             const FileOptions& options) = 0;
  /// Opens `relative` below the directory `root` without ever leaving it: no absolute part, no
  /// `..` above the root, no symbolic link out of it, regular files only, never blocking.
  /// Errors as open(), and parent_access_denied.
  virtual Result<std::shared_ptr<File>> open_beneath(const std::filesystem::path& root,
                                                     const std::filesystem::path& relative,
                                                     const FileOptions& options) = 0;
  /// An empty, writable file in the directory of `target`, under a
  /// recognisable temporary name (returned by name()).
  virtual Result<std::shared_ptr<File>> create_beside(const std::filesystem::path& target) = 0;
  /// Gives a flushed temporary its final name and makes that durable. Without `replace` an
  /// existing target is never touched (file_exists).
  virtual Status publish(File& temporary, const std::filesystem::path& target, bool replace) = 0;
  /// Removes a name durably.
  virtual Status remove(const std::filesystem::path& path) = 0;
  [[nodiscard]] virtual Result<FileId> identity(const std::filesystem::path& path) const = 0;
  /// Names of the regular files in a directory, sorted.
  [[nodiscard]] virtual Result<std::vector<std::filesystem::path>> list(
      const std::filesystem::path& directory) const = 0;
  /// Names of the directories in a directory, sorted; links are left out. None by default.
  [[nodiscard]] virtual Result<std::vector<std::filesystem::path>> list_directories(
      const std::filesystem::path& directory) const;
  /// Absolute form of a path without symbolic links in its directory part.
  [[nodiscard]] virtual Result<std::filesystem::path> absolute(
      const std::filesystem::path& path) const = 0;
};

/// The file system of the operating system.
[[nodiscard]] std::shared_ptr<FileSystem> host_file_system();

}  // namespace vdisk
#pragma GCC visibility pop
