/// Manifests as JSON files: {"manifest": 1, "algorithm": ..., "block_size": ..., "virtual_size":
/// ..., "blocks": [{"offset": ..., "digest": ...}, ...]}, one block a line.
#pragma once

#include <filesystem>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "vdisk/manifest.h"

namespace vdisk::tool {

/// Passes the document on in pieces.
void write_manifest(const Manifest& manifest, const std::function<void(std::string_view)>& put);

/// Errors: invalid_data, with the place; those of opening a file.
[[nodiscard]] Result<Manifest> read_manifest(const std::filesystem::path& path);
/// The same from text; `name` is for messages.
[[nodiscard]] Result<Manifest> parse_manifest(std::istream& text, const std::string& name);

}  // namespace vdisk::tool
