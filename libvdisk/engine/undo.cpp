/// Taking a repair back.
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/layer.h"
#include "engine/undo_file.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

/// The image is opened as a file: it need not be one that any format recognises.
Result<std::shared_ptr<File>> open_image_file(const UndoOptions& options) {
  OpenOptions open = options.open;
  open.access = options.apply ? Access::read_write : Access::read_only;
  open.read_log = ReadLog::automatic;
  return open_leaf_file(*file_system_of(open), options.image, open);
}

}  // namespace

Result<Undone> undo_repair(const UndoOptions& options, Progress& progress) try {
  progress.phase("check");
  progress.expect(1);
  VDISK_ASSIGN(const auto undo, file_system_of(options.open)->open(options.undo, {}));
  VDISK_ASSIGN(const auto image, open_image_file(options));
  VDISK_ASSIGN(const UndoSummary summary, check_undo_file(*undo, *image));
  Undone result{
      .restored_bytes = summary.bytes, .old_size = summary.old_size, .new_size = summary.new_size};
  if (!options.apply) return result;
  VDISK_TRY(progress.point_of_no_return());
  progress.phase("restore");
  VDISK_TRY(apply_undo_file(*undo, *image));
  result.applied = true;
  return result;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
