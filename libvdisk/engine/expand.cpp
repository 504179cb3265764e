/// expand: growing a disk in place.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/children.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

Status check_new_size(const Disk& disk, const ExpandOptions& options) {
  if (options.size >= disk.size()) return {};
  return fail(Errc::cannot_shrink,
              fmt::format("{}: new size: {} bytes, expected at least the present {} bytes",
                          options.path.string(), options.size, disk.size()));
}

/// Beyond its end a child hides its parent: growing must not bring the parent's bytes to light.
Status check_parent(const Disk& disk, const ExpandOptions& options) {
  const auto& core = DiskAccess::core(disk);
  if (!core.complete) {
    return fail(Errc::parent_not_found,
                fmt::format("{}: parent: not opened, expected it to be known before the child "
                            "grows",
                            options.path.string()));
  }
  if (core.sizes.size() < 2 || core.sizes[1] <= core.sizes[0]) return {};
  return fail(Errc::parent_size_mismatch,
              fmt::format("{}: parent: {} bytes, expected at most {} bytes: growing the child "
                          "would show bytes of the parent that it hides now",
                          options.path.string(), core.sizes[1], core.sizes[0]));
}

/// A change of the size invalidates every child (FORMATS 1.15, 2.9).
Status check_children(const Disk& disk, const ExpandOptions& options) {
  const auto& core = DiskAccess::core(disk);
  VDISK_ASSIGN(const auto search, search_for_children(core.layers[0], options.open));
  VDISK_ASSIGN(const auto children, find_children(*core.file_system, search));
  if (children.empty()) return {};
  return fail(Errc::has_children,
              fmt::format("{}: is the parent of {}, expected no children: growing it would "
                          "invalidate them",
                          options.path.string(), children.front().string()));
}

}  // namespace

Result<Resized> expand(const ExpandOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_write;
  VDISK_ASSIGN(auto disk, Disk::open(options.path, open));
  VDISK_TRY(check_new_size(disk, options));
  const Resized resized{.old_size = disk.size(), .new_size = options.size};
  if (resized.old_size == resized.new_size) return resized;
  VDISK_TRY(check_parent(disk, options));
  VDISK_TRY(check_children(disk, options));
  progress.phase("expand");
  progress.expect(resized.new_size - resized.old_size);
  VDISK_TRY(progress.point_of_no_return());
  VDISK_TRY(DiskAccess::core(disk).expand(options.size));
  VDISK_TRY(disk.close());
  VDISK_TRY(progress.advance(resized.new_size - resized.old_size));
  return resized;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
