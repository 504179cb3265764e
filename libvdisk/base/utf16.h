/// UTF-16 strings of the formats: strict decoding, and encoding from UTF-8.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vdisk/types.h"

namespace vdisk {

enum class ByteOrder { little, big };

/// UTF-8 of well-formed UTF-16 without NULs; empty for an odd length, a lone surrogate or a NUL.
[[nodiscard]] std::optional<std::string> decode_utf16(std::span<const std::byte> data,
                                                      ByteOrder order);
/// The same, but ends at the first NUL and replaces what is malformed by U+FFFD: for display.
[[nodiscard]] std::string decode_utf16_lossy(std::span<const std::byte> data, ByteOrder order);
/// UTF-16 bytes of UTF-8 text, without terminator; empty when the text is not valid UTF-8.
[[nodiscard]] std::optional<std::vector<std::byte>> encode_utf16(std::string_view utf8,
                                                                 ByteOrder order);
/// Whether the text is valid UTF-8.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace vdisk
