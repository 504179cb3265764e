/// A file that is only read, whose reads advance a Progress and end once a cancel has won.
#pragma once

#include <memory>

#include "vdisk/file.h"
#include "vdisk/progress.h"

namespace vdisk {

class ObservedFile final : public File {
 public:
  /// Expects as many bytes as the file really has; both must outlive it.
  ObservedFile(const File& inner, Progress& progress);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override { return inner_.size(); }
  Status resize(u64 new_size) override;
  Status flush() override;
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<u64> allocated_size() const override { return inner_.allocated_size(); }
  [[nodiscard]] Result<FileId> identity() const override { return inner_.identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return inner_.modified_time(); }
  [[nodiscard]] const std::string& name() const override { return inner_.name(); }

 private:
  const File& inner_;
  Progress& progress_;
};

}  // namespace vdisk
