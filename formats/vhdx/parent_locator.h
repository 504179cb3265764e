/// The parent locator item: key-value pairs that name the parent (FORMATS 2.8).
///
/// A path whose text is malformed (lone surrogate, embedded NUL, empty) keeps the locator valid but
/// is never followed; any other malformed string makes the locator corrupt.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vdisk/format.h"
#include "vdisk/image.h"

namespace vdisk::vhdx {

/// As openvmm; a sane locator has five.
inline constexpr u32 max_locator_entries = 256;

inline constexpr std::string_view parent_linkage_key = "parent_linkage";
inline constexpr std::string_view parent_linkage2_key = "parent_linkage2";
inline constexpr std::string_view relative_path_key = "relative_path";
inline constexpr std::string_view volume_path_key = "volume_path";
inline constexpr std::string_view absolute_win32_path_key = "absolute_win32_path";

struct LocatorEntry {
  std::string key;          ///< UTF-8
  std::string value;        ///< UTF-8; for display only when not well-formed
  bool well_formed = true;  ///< false: a path with bad UTF-16, a NUL, or nothing in it

  auto operator<=>(const LocatorEntry&) const = default;
};

struct ParentLocator {
  std::vector<LocatorEntry> entries;

  /// Null when there is none. Keys are case-sensitive.
  [[nodiscard]] const LocatorEntry* find(std::string_view key) const;
  /// Replaces or appends.
  void set(std::string_view key, std::string value);
  void erase(std::string_view key);
};

/// Decodes and validates the item at `file_offset`. Errors: X46..X48.
[[nodiscard]] Result<ParentLocator> decode_parent_locator(std::span<const std::byte> item,
                                                          u64 file_offset);
/// Errors: invalid_argument when a string is not UTF-8 or too long for its 16-bit length.
[[nodiscard]] Result<std::vector<std::byte>> encode(const ParentLocator& locator);

/// `{xxxxxxxx-...}` in lower case, as the specification writes it.
[[nodiscard]] std::string format_linkage(const Guid& guid);
/// The locator of a new child: parent_linkage and the paths that are not empty.
[[nodiscard]] ParentLocator make_parent_locator(const ParentSpec& parent);
/// What the engine resolves: accepted ids, then relative, volume and absolute path.
[[nodiscard]] ParentLink to_parent_link(const ParentLocator& locator);

}  // namespace vdisk::vhdx
