/// A writable view of a file that keeps every change in memory: a dirty image can be opened
/// read-only and its log replayed, or a whole operation be rehearsed, and not one byte of the file
/// is written.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>

#include "vdisk/file.h"

namespace vdisk {

/// Written pages lie over covers, which lie over the base. A cover is a range of zeros, or of base
/// bytes from elsewhere, which copying inside the view makes; it costs the same whatever its
/// length. Threads: as File; one writer or many readers at a time.
class OverlayFile : public File {
 public:
  /// Errors: those of base->size().
  static Result<std::shared_ptr<OverlayFile>> create(std::shared_ptr<const File> base);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  /// From the view itself: bytes of the base are not read, the ranges must not overlap.
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override;
  Status resize(u64 new_size) override;
  /// Nothing is ever durable.
  Status flush() override { return {}; }
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<u64> allocated_size() const override { return base_->allocated_size(); }
  [[nodiscard]] Result<FileId> identity() const override { return base_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return base_->modified_time(); }
  [[nodiscard]] const std::string& name() const override { return base_->name(); }

  /// Told how many bytes of the view have been dealt with since the last call; an error ends it.
  using Advance = std::function<Status(u64 bytes)>;
  /// Writes the view into an empty file; zeros become holes, bytes of the base are copied by
  /// File::copy_from.
  Status write_to(File& target, const Advance& advance) const;

 private:
  static constexpr u64 page_size = 4 * kib;
  using Page = std::array<std::byte, page_size>;
  struct Cover {
    u64 end = 0;
    std::optional<u64> base_offset = {};  ///< of its first byte; none: zeros
  };
  /// Where the bytes of a range come from.
  struct Segment {
    enum class Kind { page, zeros, base };
    Kind kind = Kind::zeros;
    u64 length = 0;
    u64 base_offset = 0;              ///< Kind::base
    const std::byte* page = nullptr;  ///< Kind::page: the first byte
  };

  OverlayFile(std::shared_ptr<const File> base, u64 base_size);

  [[nodiscard]] Segment segment_at(u64 offset, u64 end) const;
  [[nodiscard]] Segment segment_below_pages(u64 offset, u64 end) const;
  Status read_segment(const Segment& segment, std::span<std::byte> out) const;
  Status read_locked(u64 offset, std::span<std::byte> out) const;
  Status read_below_pages(u64 offset, std::span<std::byte> out) const;
  Status write_locked(u64 offset, std::span<const std::byte> data);
  Status write_inside_page(u64 offset, std::span<const std::byte> data);
  Status zero_locked(u64 offset, u64 length);
  Status copy_segment(const Segment& segment, u64 target_offset);
  void cover(u64 begin, u64 end, std::optional<u64> base_offset);
  void uncover(u64 begin, u64 end);
  Status write_base_to(File& target, u64 offset, const Segment& segment,
                       const Advance& advance) const;

  const std::shared_ptr<const File> base_;
  const u64 base_size_;
  mutable std::shared_mutex mutex_;
  std::map<u64, Page> pages_;    ///< by offset
  std::map<u64, Cover> covers_;  ///< by offset; disjoint, whole pages
  u64 size_;
};

}  // namespace vdisk
