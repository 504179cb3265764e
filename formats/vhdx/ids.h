/// The GUIDs that VHDX knows (FORMATS 2.4, 2.7.1, 2.8).
#pragma once

#include <string_view>

#include "vdisk/guid.h"

namespace vdisk::vhdx {

/// A GUID constant from its printed form.
consteval Guid guid_constant(std::string_view text) {
  Guid guid;
  std::size_t digit = 0;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = c >= 'A' ? c - 'A' + 10 : c - '0';
    u8& byte = guid.bytes.at(digit / 2);
    byte = static_cast<u8>(digit % 2 == 0 ? value << 4 : byte | value);
    ++digit;
  }
  return guid;
}

inline constexpr Guid bat_region_id = guid_constant("2DC27766-F623-4200-9D64-115E9BFD4A08");
inline constexpr Guid metadata_region_id = guid_constant("8B7CA206-4790-4B9A-B8FE-575F050F886E");

inline constexpr Guid file_parameters_id = guid_constant("CAA16737-FA36-4D43-B3B6-33F0AA44E76B");
inline constexpr Guid virtual_disk_size_id = guid_constant("2FA54224-CD1B-4876-B211-5DBED83BF4B8");
inline constexpr Guid virtual_disk_id_id = guid_constant("BECA12AB-B2E6-4523-93EF-C309E000C746");
inline constexpr Guid logical_sector_size_id =
    guid_constant("8141BF1D-A96F-4709-BA47-F233A8FAAB5F");
inline constexpr Guid physical_sector_size_id =
    guid_constant("CDA348C7-445D-4471-9CC9-E9885251C556");
inline constexpr Guid parent_locator_id = guid_constant("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C");

// Not in the published specification; openvmm knows them.
inline constexpr Guid chs_parameters_id = guid_constant("DA02D7BC-3D3A-423C-AC88-2A36AB21479B");
inline constexpr Guid incomplete_file_id = guid_constant("71CC85F0-1B69-4E28-9558-C3BF83AE75D3");
inline constexpr Guid pmem_label_area_id = guid_constant("10E1AE8A-4B7E-4169-A40F-CD70DE928393");

/// The only public type of parent locator.
inline constexpr Guid vhdx_locator_type = guid_constant("B04AEFB7-D19E-4A81-B789-25B8E9445913");

}  // namespace vdisk::vhdx
