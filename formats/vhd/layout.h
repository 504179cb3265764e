/// Layout: the validated plain value of a VHD file - which footer counts, the header, the parent.
///
/// Opening follows FORMATS 1.13: the footer at the end of the file first, since a guest of a fixed
/// disk can write anything at offset 0; the copy at 0 is the redundancy of the other two types.
#pragma once

#include <optional>
#include <vector>

#include "formats/vhd/dynamic_header.h"
#include "formats/vhd/footer.h"
#include "vdisk/image.h"

namespace vdisk::vhd {

/// Smaller files hold no disk of one sector and are no images at all (V1).
inline constexpr u64 smallest_file = sector_size + legacy_footer_size;

/// One of the two places of a footer.
struct FooterCopy {
  u64 offset = 0;
  u64 size = footer_size;  ///< legacy_footer_size for the old form
  FooterState state = FooterState::missing;
  Footer footer;  ///< meaningful unless missing
  [[nodiscard]] bool valid() const { return state == FooterState::valid; }
};

struct FooterPair {
  u64 file_size = 0;
  FooterCopy end;
  FooterCopy head;
};
/// Reads both places. Errors: not_image (the file is too small), io.
[[nodiscard]] Result<FooterPair> read_footers(const File& file);

/// What opening for writing has to put right first.
enum class FooterRepair {
  none,
  append_end,      ///< the end footer is missing or damaged: append one behind the file
  convert_legacy,  ///< 511 bytes become 512
  rewrite_head,    ///< the copy at 0 is damaged or older than the end footer
  rewrite_end,     ///< the end footer is newer than the header: the change never took effect
};

/// A range of file bytes.
struct FileRange {
  u64 offset = 0;
  u64 length = 0;
  [[nodiscard]] u64 end() const { return offset + length; }
};

struct Layout {
  u64 file_size = 0;
  Footer footer;          ///< the one that counts
  u64 footer_offset = 0;  ///< of the end footer; where it is missing, the end of the file
  u64 virtual_size = 0;
  FooterRepair repair = FooterRepair::none;
  /// Fixed only: a footer with nothing but zeros behind it, up to the end of the file.
  std::optional<u64> stranded_footer_offset = {};
  u64 header_offset = 0;             ///< sparse types only, as all that follows
  DynamicHeader header;              ///
  u64 block_count = 0;               ///< blocks that the disk needs, <= max_table_entries
  std::optional<ParentLink> parent;  ///< differencing only

  [[nodiscard]] u64 footprint() const {  ///< bytes of a stored block: bitmap and data
    return bitmap_bytes(header.block_size) + header.block_size;
  }
};

struct Survey {
  Layout layout;  ///< meaningful when nothing was rejected
  Verdict verdict;
  /// The BAT can be walked, whatever was rejected: the header and the place of the BAT are sound.
  bool blocks_known = false;
};
/// Reads and judges everything but the BAT, up to the first structure that is rejected.
/// Errors: not_image, io; broken rules are in the verdict.
[[nodiscard]] Result<Survey> survey(const File& file, VhdSize authority);
/// The same, going on behind rejections as long as the rest makes sense.
[[nodiscard]] Result<Survey> survey_everything(const File& file);

/// The copy at 0, the header and the BAT: what no block may lie on if it is to be read.
[[nodiscard]] std::vector<FileRange> core_ranges(const Layout& layout);
/// The same and the areas of the parent locators: what no block may lie on if the file is to be
/// written.
[[nodiscard]] std::vector<FileRange> metadata_ranges(const Layout& layout);

}  // namespace vdisk::vhd
