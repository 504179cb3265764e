/// Parent locators and the parent's name: how a differencing image finds its parent (FORMATS 1.11).
#pragma once

#include <string_view>
#include <vector>

#include "formats/vhd/dynamic_header.h"
#include "vdisk/image.h"

namespace vdisk::vhd {

inline constexpr u32 code_windows_relative = 0x57327275;      ///< W2ru, UTF-16LE
inline constexpr u32 code_windows_absolute = 0x57326B75;      ///< W2ku, UTF-16LE
inline constexpr u32 code_old_windows_relative = 0x57693272;  ///< Wi2r, 8-bit
inline constexpr u32 code_old_windows_absolute = 0x5769326B;  ///< Wi2k, 8-bit
inline constexpr u32 code_mac_alias = 0x4D616320;             ///< `Mac `, a blob
inline constexpr u32 code_mac_url = 0x4D616358;               ///< MacX, UTF-8 URL

/// Windows paths have at most 32767 characters.
inline constexpr u64 max_locator_length = 64 * kib;

/// What surrounds the locators in their file.
struct LocatorPlace {
  u64 header_offset = 0;
  u64 file_size = 0;
};

/// The parent's identity and every path in the order in which they are to be tried: W2ru, W2ku,
/// MacX, Wi2r, Wi2k, the name in the header. Locators that point outside of the file or into other
/// structures are left out (V32); paths of bad encoding are marked.
/// Errors: io. Adds V31, V32 and V33.
Result<ParentLink> read_parent_link(const File& file, const DynamicHeader& header,
                                    const LocatorPlace& place, Verdict& verdict);

/// One path as it will stand in the file.
struct EncodedLocator {
  u32 platform_code = 0;
  std::vector<std::byte> name;
};
/// Paths of the kinds W2ru / relative_path and W2ku / absolute_win32_path, at most one of each; a
/// missing one is filled with the other, because Hyper-V needs both. Others are left out.
/// Errors: invalid_argument (not UTF-8, too long, no usable path).
Result<std::vector<EncodedLocator>> encode_locators(const std::vector<ParentPath>& paths);

/// Bytes that the areas of these locators take.
[[nodiscard]] u64 locator_bytes(const std::vector<EncodedLocator>& locators);
/// Names the areas, which start at `offset`, in the header and returns their content.
std::vector<std::byte> place_locators(DynamicHeader& header,
                                      const std::vector<EncodedLocator>& locators, u64 offset);

/// Stores the parent's file name; what does not fit is cut off between characters.
/// Errors: invalid_argument (not UTF-8).
Status set_parent_name(DynamicHeader& header, std::string_view utf8);
/// Part of a path behind the last separator.
[[nodiscard]] std::string_view last_component(std::string_view path);

}  // namespace vdisk::vhd
