/// A gzip'd file seen as the bytes it holds: read-only, at any offset, without a copy of them.
///
/// Opening decompresses everything once: it finds the size, proves the checksums, and remembers
/// points at which decompression can begin again. A read that follows the last one goes on there;
/// any other begins at the nearest point before it.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "vdisk/file.h"
#include "vdisk/progress.h"

namespace vdisk {

class Inflater;

/// Where decompression can begin.
struct InflatePoint {
  u64 out = 0;                         ///< offset in the decompressed bytes
  u64 in = 0;                          ///< offset in the file
  int bits = 0;                        ///< of the byte before `in` that belong to what follows
  bool at_member = true;               ///< a gzip header follows; else deflate data
  std::vector<std::byte> window = {};  ///< the bytes before `out`, deflated
};

/// Threads: as File; reads take turns.
class GzipFile : public File {
 public:
  /// Whether a file that begins like this is gzip'd.
  [[nodiscard]] static bool matches(std::span<const std::byte> head);
  /// Errors: invalid_data, file_size_invalid (it ends in the middle), canceled, io.
  static Result<std::shared_ptr<GzipFile>> open(std::shared_ptr<const File> base,
                                                Progress& progress);
  ~GzipFile() override;

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override { return size_; }
  Status resize(u64 new_size) override;
  Status flush() override { return {}; }
  [[nodiscard]] Result<u64> allocated_size() const override { return base_->allocated_size(); }
  [[nodiscard]] Result<FileId> identity() const override { return base_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return base_->modified_time(); }
  [[nodiscard]] const std::string& name() const override { return base_->name(); }

 private:
  explicit GzipFile(std::shared_ptr<const File> base);
  Status scan(Progress& progress);
  void remember(InflatePoint point);
  Status seek(u64 offset) const;
  [[nodiscard]] Status refuse_write() const;

  const std::shared_ptr<const File> base_;
  u64 size_ = 0;
  u64 spacing_;  ///< between two points, decompressed bytes
  std::vector<InflatePoint> points_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<Inflater> inflater_;  ///< guarded by mutex_
};

}  // namespace vdisk
