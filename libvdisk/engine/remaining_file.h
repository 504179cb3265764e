/// A rebuilt view of a damaged file in which only bytes that exist can be read: those of the file,
/// and those that the rebuilding wrote. What the view merely claims to be long enough for is an
/// error, never zeros.
#pragma once

#include <memory>

#include "io/planned_file.h"

namespace vdisk {

/// Threads: concurrent reads.
class RemainingFile final : public File {
 public:
  /// Bytes of the file from `data_end` on are not the guest's, and not read either.
  RemainingFile(std::shared_ptr<const PlannedFile> view, u64 data_end);

  /// Errors: end_of_file where nothing is.
  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override { return view_->size(); }
  Status resize(u64 new_size) override;
  Status flush() override;
  /// Those of the file only: another hole of the view may be a place where nothing is.
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<FileId> identity() const override { return view_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return view_->modified_time(); }
  [[nodiscard]] const std::string& name() const override { return view_->name(); }

 private:
  const std::shared_ptr<const PlannedFile> view_;
  const u64 data_end_;
  std::vector<PlannedRange> made_;  ///< behind data_end_; ascending, disjoint
};

}  // namespace vdisk
