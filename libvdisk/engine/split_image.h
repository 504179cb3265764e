/// Files whose names say that they must be left alone. One part of an image which was split is not
/// opened, because a repair or a write would take the missing rest for damage.
#pragma once

#include <filesystem>
#include <optional>

#include "vdisk/file.h"

namespace vdisk {

/// What the file belongs to and how the parts become one image; empty when nothing beside it says
/// that it is a part. Only names are looked at.
[[nodiscard]] std::optional<std::string> describe_part(const FileSystem& file_system,
                                                       const std::filesystem::path& path);

/// Errors: unsupported, with the description, when the file is a part.
[[nodiscard]] Status refuse_part(const FileSystem& file_system, const std::filesystem::path& path);

/// Errors: unsupported, when others keep account of the file, so that nothing may write it whatever
/// it holds.
[[nodiscard]] Status refuse_guarded(const std::filesystem::path& path);

/// The error of a file in which no format sees itself, or that it is a part: that explains it.
[[nodiscard]] Error explain_part(const FileSystem& file_system, const std::filesystem::path& path,
                                 Error error);

}  // namespace vdisk
