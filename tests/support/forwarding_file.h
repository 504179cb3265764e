/// A File that passes everything on to another: the base of the test doubles that watch or fail.
#pragma once

#include <memory>
#include <utility>

#include "vdisk/file.h"

namespace vdisk::test {

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::shared_ptr<File> inner) : inner_(std::move(inner)) {}

  Status read_at(u64 offset, std::span<std::byte> out) const override {
    return inner_->read_at(offset, out);
  }
  Status write_at(u64 offset, std::span<const std::byte> data) override {
    return inner_->write_at(offset, data);
  }
  Status zero_at(u64 offset, u64 length) override { return inner_->zero_at(offset, length); }
  Status punch_at(u64 offset, u64 length) override { return inner_->punch_at(offset, length); }
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override {
    return inner_->copy_from(source, source_offset, target_offset, length);
  }
  [[nodiscard]] Result<u64> size() const override { return inner_->size(); }
  Status resize(u64 new_size) override { return inner_->resize(new_size); }
  Status flush() override { return inner_->flush(); }
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override {
    return inner_->next_hole(offset);
  }
  [[nodiscard]] Result<u64> allocated_size() const override { return inner_->allocated_size(); }
  [[nodiscard]] Result<FileId> identity() const override { return inner_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return inner_->modified_time(); }
  Status set_modified_time(i64 seconds) override { return inner_->set_modified_time(seconds); }
  [[nodiscard]] const std::string& name() const override { return inner_->name(); }

  [[nodiscard]] File& inner() const { return *inner_; }

 private:
  std::shared_ptr<File> inner_;
};

}  // namespace vdisk::test
