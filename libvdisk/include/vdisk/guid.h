/// 16-byte identifiers: VHD UniqueId, VHDX write GUIDs and disk ids.
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "vdisk/types.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// A GUID in the byte order in which its text is written (RFC 4122). The VHDX decoder swaps the
/// mixed-endian storage of Windows into this order; VHD ids are stored in it (FORMATS 1.7, 2.1).
struct Guid {
  std::array<u8, 16> bytes{};

  auto operator<=>(const Guid&) const = default;
  [[nodiscard]] bool is_zero() const noexcept { return bytes == std::array<u8, 16>{}; }
};

/// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, lower case.
[[nodiscard]] std::string to_string(const Guid& guid);
/// Accepts either case, with or without braces; nothing else.
[[nodiscard]] std::optional<Guid> parse_guid(std::string_view text);
/// A random (version 4) GUID from the operating system's generator.
[[nodiscard]] Guid random_guid();

}  // namespace vdisk
#pragma GCC visibility pop
