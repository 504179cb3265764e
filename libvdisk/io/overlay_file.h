/// A writable view of a file that keeps every change in memory: a dirty image can be opened
/// read-only, its log replayed, and not one byte of the file is written.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <shared_mutex>

#include "vdisk/file.h"

namespace vdisk {

/// Written pages lie over ranges of zeros, which lie over the base. Ranges of zeros cost the same
/// whatever their length. Threads: as File; one writer or many readers at a time.
class OverlayFile : public File {
 public:
  /// Errors: those of base->size().
  static Result<std::shared_ptr<OverlayFile>> create(std::shared_ptr<const File> base);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override;
  Status resize(u64 new_size) override;
  /// Nothing is ever durable.
  Status flush() override { return {}; }
  /// Holes of the base where nothing was written.
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<u64> allocated_size() const override { return base_->allocated_size(); }
  [[nodiscard]] Result<FileId> identity() const override { return base_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return base_->modified_time(); }
  [[nodiscard]] const std::string& name() const override { return base_->name(); }

 private:
  static constexpr u64 page_size = 4 * kib;
  using Page = std::array<std::byte, page_size>;

  OverlayFile(std::shared_ptr<const File> base, u64 base_size);

  Status read_locked(u64 offset, std::span<std::byte> out) const;
  Status read_below_pages(u64 offset, std::span<std::byte> out) const;
  Status read_base(u64 offset, std::span<std::byte> out) const;
  Status write_inside_page(u64 offset, std::span<const std::byte> data);
  Status zero_locked(u64 offset, u64 length);
  void hide_base(u64 begin, u64 end);

  const std::shared_ptr<const File> base_;
  const u64 base_size_;
  mutable std::shared_mutex mutex_;
  std::map<u64, Page> pages_;  ///< by offset
  std::map<u64, u64> zeros_;   ///< begin -> end; disjoint
  u64 size_;
};

}  // namespace vdisk
