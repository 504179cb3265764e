/// The whole BAT at once: what its entries break together, and what would put each of them right.
///
/// Check tells it, repair does it: both see the same remedies. Sound entries come first; what they
/// use is never given to an entry that cannot be read now. Memory: one bit for each MiB of file.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "formats/hole_probe.h"
#include "formats/vhdx/bat_scan.h"
#include "formats/vhdx/entry_faults.h"
#include "formats/vhdx/file_map.h"

namespace vdisk::vhdx {

/// What puts an entry right.
enum class Remedy {
  none,      ///< nothing that could be proved
  rewrite,   ///< another entry with the same meaning
  give_up,   ///< its place cannot hold the block: the block is marked as not stored
  relocate,  ///< it shares its place with another entry: a copy of its own
  extend,    ///< the file was cut inside the block: the file gets its length back
};

/// An entry that is not as it should be.
struct EntryFinding {
  u64 index = 0;
  u64 raw = 0;
  EntryFault fault = EntryFault::none;  ///< none: `other_place` is taken, or the slot is junk
  u64 other_place = 0;                  ///< the first MiB that another entry uses, too
  Remedy remedy = Remedy::none;
  u64 new_raw = 0;       ///< of rewrite, give_up and extend
  bool is_junk = false;  ///< a sector bitmap slot in use without a parent (X42): harmless
};
using EntryFindingVisitor = std::function<Status(const EntryFinding&)>;

/// Something tolerable that may occur in every entry: counted, told once.
struct Tally {
  u64 count = 0;
  u64 first_index = 0;

  void add(u64 index) {
    if (count++ == 0) first_index = index;
  }
};

/// A repair adds at most this much to the file by giving shared blocks places of their own.
inline constexpr u64 max_relocated_bytes = 16 * gib;

class BatSurvey {
 public:
  BatSurvey(const File& file, const Layout& layout);

  /// Visits what is not as it should be: first what sound entries share, then the unsound ones,
  /// each by ascending index. Errors: io, those of `visit`.
  Status run(const EntryFindingVisitor& visit);

  [[nodiscard]] u64 allocated() const { return allocated_; }
  [[nodiscard]] const Tally& junk_bitmaps() const { return junk_bitmaps_; }
  /// Offsets kept in states without data, and junk behind the entries that are needed.
  [[nodiscard]] const Tally& anchors() const { return anchors_; }
  [[nodiscard]] const Tally& spare_entries() const { return spare_entries_; }
  /// Present blocks that are holes of the host's file; not counted for fixed disks.
  [[nodiscard]] const Tally& holes() const { return holes_; }
  /// X43: the chunks with a partially present block whose sector bitmap is not in the file.
  [[nodiscard]] const Tally& missing_bitmaps() const { return missing_bitmaps_; }
  /// Which MiBs of the file anything uses.
  [[nodiscard]] const FileMap& space() const { return space_; }

 private:
  void claim_fixed_areas();
  Status visit_sound(u64 index, u64 raw, const EntryFindingVisitor& visit);
  Status visit_payload(u64 index, u64 raw, const EntryFindingVisitor& visit);
  Status visit_bitmap(u64 index, u64 raw, const EntryFindingVisitor& visit);
  Status claim(u64 index, u64 raw, u64 length, const EntryFindingVisitor& visit);
  Status count_hole(u64 index, u64 offset);
  Status visit_unsound(u64 index, u64 raw, const EntryFindingVisitor& visit);
  void settle_chunk(u64 next_index);
  [[nodiscard]] EntryFinding judge_payload(u64 index, u64 raw);
  [[nodiscard]] EntryFinding judge_stored(EntryFinding finding, u64 candidate);
  [[nodiscard]] EntryFinding judge_bitmap(u64 index, u64 raw);
  [[nodiscard]] bool take(u64 offset, u64 length);
  [[nodiscard]] bool is_cut(u64 offset) const;

  const File& file_;
  const Layout& layout_;
  const BatLayout& bat_;
  const EntryFaults faults_;
  FileMap space_;
  HoleProbe probe_;
  u64 allocated_ = 0;
  u64 unsound_ = 0;
  u64 relocated_bytes_ = 0;
  std::optional<u64> partial_chunk_;  ///< has a partially present block, its bitmap not seen yet
  Tally junk_bitmaps_;
  Tally anchors_;
  Tally spare_entries_;
  Tally holes_;
  Tally missing_bitmaps_;
};

}  // namespace vdisk::vhdx
