/// A file of the operating system.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "io/descriptor.h"
#include "vdisk/file.h"

namespace vdisk {

/// Threads: as File. Images are never mapped into memory: a truncated file gives an error, not a
/// signal.
class PosixFile : public File {
 public:
  /// Takes over a descriptor of a regular file or block device.
  PosixFile(Descriptor descriptor, std::string name);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  Result<bool> clone_from(const File& source, u64 source_offset, u64 target_offset,
                          u64 length) override;
  [[nodiscard]] Result<u64> size() const override;
  Status resize(u64 new_size) override;
  Status flush() override;
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<u64> allocated_size() const override;
  [[nodiscard]] Result<FileId> identity() const override;
  [[nodiscard]] Result<i64> modified_time() const override;
  Status set_modified_time(i64 seconds) override;
  [[nodiscard]] std::optional<int> native_descriptor() const override { return descriptor_.get(); }
  [[nodiscard]] const std::string& name() const override { return name_; }

  [[nodiscard]] int descriptor() const { return descriptor_.get(); }
  /// The file has another name from now on (it was published).
  void rename(std::string name) { name_ = std::move(name); }

 private:
  [[nodiscard]] Status check_healthy() const;
  [[nodiscard]] Result<Hole> no_hole() const;
  Status write_zeros(u64 offset, u64 length);
  /// fallocate in a mode that makes zeros; false when the file system cannot.
  Result<bool> allocate(int mode, u64 offset, u64 length);
  Result<u64> copy_in_kernel(const PosixFile& source, u64 source_offset, u64 target_offset,
                             u64 length);
  [[nodiscard]] std::unexpected<Error> failed(int os_error, std::string_view action, u64 offset,
                                              u64 length) const;

  Descriptor descriptor_;
  std::string name_;
  std::atomic<bool> poisoned_ = false;  ///< a flush failed: the kernel may have dropped our data
  /// The file system said that it cannot do this; asking again would only cost time.
  std::atomic<bool> cannot_allocate_ = false;
  mutable std::atomic<bool> cannot_seek_holes_ = false;
};

/// Checks what was opened (with O_NONBLOCK, so that no pipe blocks) and takes the lock.
/// Errors: not_regular, busy, unsupported (no locks here), io.
Result<std::shared_ptr<PosixFile>> open_posix_file(Descriptor descriptor, std::string name,
                                                   const FileOptions& options);

}  // namespace vdisk
