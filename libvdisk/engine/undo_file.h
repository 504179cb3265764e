/// A file that holds what a repair overwrites, so that the repair can be taken back.
///
/// Layout (little-endian), described in docs/check.md: a header of 4096 bytes, then for each piece
/// its place, checksums of what the repair writes there, and the bytes that were there. Checksums
/// cover the header, everything behind it, and each sector of what the repair writes: an image that
/// changed since then is recognised.
#pragma once

#include <filesystem>
#include <string_view>

#include "io/planned_file.h"
#include "vdisk/file.h"

namespace vdisk {

struct UndoSource {
  const PlannedFile& plan;  ///< not done yet
  std::string_view format;
};

/// Durable, under its name, when this succeeds. Errors: file_exists, io.
Status write_undo_file(FileSystem& file_system, const std::filesystem::path& path,
                       const UndoSource& source);

struct UndoSummary {
  u64 old_size = 0;  ///< of the image, before the repair
  u64 new_size = 0;  ///< after it
  u64 bytes = 0;     ///< kept in the undo file
};

/// Whether the file is whole, and the image is what the repair left, or left when it was
/// interrupted. Errors: not_image (no undo file), corrupt (damaged), wrong_state (the image has
/// changed since), io.
Result<UndoSummary> check_undo_file(const File& undo_file, const File& image);

/// Puts everything back and flushes. Requires check_undo_file. Crash: do it again.
Status apply_undo_file(const File& undo_file, File& image);

/// Bytes of an image; behind its end everything is zero.
[[nodiscard]] Status read_padded(const File& file, u64 offset, std::span<std::byte> out);

}  // namespace vdisk
