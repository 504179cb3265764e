/// The footer: the 512 bytes that anchor everything else (FORMATS 1.2 - 1.7).
#pragma once

#include <array>
#include <span>
#include <string>

#include "formats/vhd/structures.h"
#include "formats/vhd/verdict.h"
#include "vdisk/format.h"
#include "vdisk/guid.h"

namespace vdisk::vhd {

enum class DiskType : u32 { fixed = 2, dynamic = 3, differencing = 4 };

/// All fields of a footer. Reserved bytes are kept so that rewriting changes nothing else.
struct Footer {
  u32 features = 2;
  u32 file_format_version = version_1_0;
  u64 data_offset = no_offset;
  u32 time_stamp = 0;
  std::array<char, 4> creator_application{};
  u32 creator_version = 0;
  std::array<char, 4> creator_host_os{};
  u64 original_size = 0;
  u64 current_size = 0;
  u16 cylinders = 0;
  u8 heads = 0;
  u8 sectors_per_track = 0;
  u32 disk_type = 0;
  Guid unique_id;
  u8 saved_state = 0;
  std::array<std::byte, 427> reserved{};

  bool operator==(const Footer&) const = default;
  [[nodiscard]] bool is(DiskType type) const { return disk_type == static_cast<u32>(type); }
  [[nodiscard]] bool is_sparse() const {
    return is(DiskType::dynamic) || is(DiskType::differencing);
  }
  [[nodiscard]] Chs chs() const { return {cylinders, heads, sectors_per_track}; }
};

/// How a place that should hold a footer looks.
enum class FooterState { valid, missing, poisoned, bad_checksum };

/// Requires bytes.size() >= legacy_footer_size; a missing last byte counts as zero.
[[nodiscard]] FooterState classify_footer(std::span<const std::byte> bytes);
/// Every field, unchecked. The same requirement.
[[nodiscard]] Footer decode_footer(std::span<const std::byte> bytes);
/// With a correct checksum.
[[nodiscard]] RawFooter encode_footer(const Footer& footer);

/// Sets CurrentSize and the geometry that belongs to it.
void set_current_size(Footer& footer, u64 size);
/// Creator as text: application and version, e.g. "win 10.0"; empty when there is none.
[[nodiscard]] std::string creator_text(const Footer& footer);
/// Whether the creator application is this text, padded with blanks or NULs.
[[nodiscard]] bool created_by(const Footer& footer, std::string_view application);
/// The size of the disk (FORMATS 1.5): CurrentSize in whole sectors, or the geometry's where the
/// caller asks for it and the creator went by geometry.
[[nodiscard]] u64 virtual_size(const Footer& footer, VhdSize authority);

/// Where a footer stands.
struct FooterPlace {
  u64 offset = 0;
  u64 data_limit = 0;  ///< the structures that it names must end here
};
/// V4 - V10 and V13 - V15: what a footer alone can break.
void validate_footer(const Footer& footer, const FooterPlace& place, Verdict& verdict);

}  // namespace vdisk::vhd
