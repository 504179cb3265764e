/// What commands tell about images, in words and in JSON.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "output.h"
#include "vdisk/operations.h"

namespace vdisk::tool {

/// A path as text; the bytes are those of the file system, not necessarily UTF-8.
[[nodiscard]] std::string text_of(const std::filesystem::path& path);
/// "vhdx dynamic"; only "raw" where there is but one type.
[[nodiscard]] std::string kind_of(std::string_view format, ImageType type);
/// `2026-11-21T02:57:47Z`.
[[nodiscard]] std::string iso_time(i64 seconds_since_1970);

/// Remarks, before an image is written, who else keeps a record of it: change tracking, a replica.
void warn_about_neighbours(const std::filesystem::path& path, const OpenOptions& options);
/// The same, and which other images that makes invalid.
void warn_about_children(const std::filesystem::path& path, const OpenOptions& options);
/// The JSON document of a new image.
[[nodiscard]] nlohmann::ordered_json created_document(const CreatedDisk& created);
/// "rounded up from 1000 to 1048576 bytes" when the disk is larger than was asked for; else empty.
[[nodiscard]] std::string rounding_remark(const CreatedDisk& created, u64 wanted);

/// "opening it needs --parent-root DIR" when the parent lies outside the child's directory; else
/// empty.
[[nodiscard]] std::string parent_root_remark(const std::filesystem::path& child,
                                             const std::filesystem::path& parent);

/// "created disk.vhdx: vhdx dynamic, 64 GiB", or the JSON document of a new image.
void print_created(const CreatedDisk& created, const OutputOptions& options, std::string_view verb,
                   std::string_view remark = {});

}  // namespace vdisk::tool
