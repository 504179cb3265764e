/// What is wrong with a BAT entry, without a text: check and repair look at millions of them.
/// bat_rules.h says the same in words.
#pragma once

#include "formats/vhdx/fixed_areas.h"
#include "formats/vhdx/layout.h"

namespace vdisk::vhdx {

enum class EntryFault {
  none,
  reserved_bits,    ///< X37
  state,            ///< X38, of a sector bitmap X42
  in_header,        ///< X39: below 1 MiB
  behind_end,       ///< X39: not all of it is inside the file
  over_fixed_area,  ///< X40: over the log or a region
};

class EntryFaults {
 public:
  explicit EntryFaults(const Layout& layout) : layout_(layout), areas_(layout) {}

  /// The same verdict as validate_payload_entry.
  [[nodiscard]] EntryFault of_payload(u64 block, u64 raw) const;
  /// The same verdict as validate_bitmap_entry.
  [[nodiscard]] EntryFault of_bitmap(u64 raw) const;
  /// Of an extent of which `needed` bytes must be inside the file.
  [[nodiscard]] EntryFault of_extent(u64 offset, u64 length, u64 needed) const;

 private:
  const Layout& layout_;
  FixedAreas areas_;
};

}  // namespace vdisk::vhdx
