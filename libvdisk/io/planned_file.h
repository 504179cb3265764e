/// A view of a file in which changes are only planned: recorded in order, and visible here alone.
///
/// What was tried and found good on the view can then be done to the file itself, change by change
/// and flush by flush. Copies inside the file cost no memory, whatever their length.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "vdisk/file.h"

namespace vdisk {

/// One change, in the order in which it was asked for.
struct PlannedChange {
  enum class Kind { write, zero, punch, copy, resize, flush };
  Kind kind = Kind::write;
  u64 offset = 0;
  u64 length = 0;                                           ///< of a resize: the new size
  u64 source_offset = 0;                                    ///< of a copy, in the same file
  std::shared_ptr<const std::vector<std::byte>> data = {};  ///< of a write
};

/// A range of file bytes whose content the plan replaces.
struct PlannedRange {
  u64 offset = 0;
  u64 length = 0;
  [[nodiscard]] u64 end() const { return offset + length; }
};

/// Threads: as File; one writer or many readers at a time.
class PlannedFile final : public File {
 public:
  /// Errors: those of base->size().
  static Result<std::shared_ptr<PlannedFile>> create(std::shared_ptr<const File> base);

  Status read_at(u64 offset, std::span<std::byte> out) const override;
  Status write_at(u64 offset, std::span<const std::byte> data) override;
  Status zero_at(u64 offset, u64 length) override;
  Status punch_at(u64 offset, u64 length) override;
  /// Ranges of one file must not overlap.
  Status copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) override;
  [[nodiscard]] Result<u64> size() const override;
  Status resize(u64 new_size) override;
  /// Recorded as a border that must not be crossed; nothing is durable.
  Status flush() override;
  /// Holes of the base where nothing was planned, and planned zeros.
  [[nodiscard]] Result<Hole> next_hole(u64 offset) const override;
  [[nodiscard]] Result<FileId> identity() const override { return base_->identity(); }
  [[nodiscard]] Result<i64> modified_time() const override { return base_->modified_time(); }
  [[nodiscard]] const std::string& name() const override { return base_->name(); }

  [[nodiscard]] const std::vector<PlannedChange>& changes() const { return changes_; }
  /// True when nothing but flushes was planned.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] const std::shared_ptr<const File>& base() const { return base_; }
  [[nodiscard]] u64 base_size() const { return base_size_; }
  /// The bytes of the base that the plan overwrites or cuts off: disjoint, ascending, none of them
  /// behind the base's end.
  [[nodiscard]] std::vector<PlannedRange> changed_ranges() const;

 private:
  /// What covers [key, end) of the view; where there is no piece, the base shows through.
  struct Piece {
    enum class Source { zeros, base, data } source = Source::zeros;
    u64 end = 0;
    u64 source_offset = 0;  ///< in the base, or in `data`
    std::shared_ptr<const std::vector<std::byte>> data = {};
  };
  using Pieces = std::map<u64, Piece>;

  PlannedFile(std::shared_ptr<const File> base, u64 base_size);

  /// What covers `offset`, and up to where at most.
  [[nodiscard]] Piece piece_at(u64 offset) const;
  Status read_piece(const Piece& piece, std::span<std::byte> out) const;
  [[nodiscard]] Status check_end(u64 offset, u64 length) const;
  void split_at(u64 offset);
  void cover(u64 offset, Piece piece);
  void put(u64 offset, Piece piece, PlannedChange change);
  Status copy_inside(u64 source_offset, u64 target_offset, u64 length);

  const std::shared_ptr<const File> base_;
  const u64 base_size_;
  mutable std::shared_mutex mutex_;
  Pieces pieces_;
  std::vector<PlannedChange> changes_;
  u64 size_;
};

/// Does one change to `target`.
Status apply(const PlannedChange& change, File& target);
/// Does to `target` what was planned, in the same order, with the same flushes and one at the end.
/// `target` must hold what the base of the plan held.
Status apply(const PlannedFile& plan, File& target);

}  // namespace vdisk
