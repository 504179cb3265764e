/// compact: making the file of an image smaller while its content stays.
///
/// There is one way to do it, on three kinds of file: the image's own, a copy of it that exists in
/// memory only (to estimate), and such a copy that is written out and takes the old one's name.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/pack.h"
#include "engine/real_name.h"
#include "engine/split_image.h"
#include "io/overlay_file.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace fs = std::filesystem;

namespace {

bool is_about_parent(const Error& error) {
  switch (kind(error.code)) {
    case ErrorKind::parent_not_found:
    case ErrorKind::parent_mismatch:
    case ErrorKind::parent_policy:
    case ErrorKind::parent_cycle: return true;
    default: return false;
  }
}

/// With its parents where they can be opened: they can only prove more blocks to be zero.
Result<Disk> open_view(const fs::path& path, OpenOptions open) {
  auto disk = Disk::open(path, open);
  if (disk || open.parent || !is_about_parent(disk.error())) return disk;
  open.parents = ParentPolicy::none;
  return Disk::open(path, open);
}

Status check_state(const Disk::Core& disk) {
  if (!disk.leaf().info().saved_state) return {};
  return fail(Errc::wrong_state, fmt::format("{}: belongs to a virtual machine in saved state",
                                             disk.layers.front().path.string()));
}

Status measure_before(const File& file, Compacted& result) {
  VDISK_ASSIGN(result.old_file_size, file.size());
  VDISK_ASSIGN(result.old_allocated_size, file.allocated_size());
  return {};
}

Status measure_after(const File& file, Compacted& result) {
  VDISK_ASSIGN(result.new_file_size, file.size());
  VDISK_ASSIGN(result.new_allocated_size, file.allocated_size());
  return {};
}

NoGain reason_of(const Compacted& result, bool has_blocks) {
  if (result.reclaimed_bytes != 0 || result.punched_bytes != 0 || result.zero_blocks != 0) {
    return NoGain::none;
  }
  if (!has_blocks) return NoGain::fixed;
  if (result.kept_zero_blocks != 0) return NoGain::zeros_hide_parent;
  if (result.unknown_blocks != 0) return NoGain::parent_unknown;
  return NoGain::all_in_use;
}

void conclude(Compacted& result, bool has_blocks) {
  const u64 shrunk = std::min(result.new_file_size, result.old_file_size);
  result.reclaimed_bytes = result.old_file_size - shrunk;
  result.no_gain = reason_of(result, has_blocks);
}

/// The time of the last change of an image whose children know it (V36). The guest's disk stays the
/// same, and so does the time: the children need not doubt their parent.
class KeptTime {
 public:
  static Result<KeptTime> of(const Layer& layer) {
    KeptTime kept;
    if (!layer.format->children_know_times) return kept;
    VDISK_ASSIGN(kept.seconds_, layer.file->modified_time());
    return kept;
  }

  /// Only the owner of a file may do that. For anybody else the image is as sound, and its children
  /// warn.
  void restore(File& file) const {
    if (seconds_ && file.modified_time() != seconds_) (void)file.set_modified_time(*seconds_);
  }

 private:
  std::optional<i64> seconds_;
};

/// Whether it was canceled or not: what was done stays, and the image is left clean.
Status close_after(Status done, Image& image, File& file, const KeptTime& time) {
  auto closed = image.close();
  time.restore(file);
  if (closed) closed = file.flush();
  return done ? closed : done;
}

Status punch_in_place(Disk::Core& disk, Compacted& result, Progress& progress) {
  VDISK_ASSIGN(const u64 before, disk.layers.front().file->allocated_size());
  VDISK_TRY(punch_zeros(disk.leaf(), progress));
  VDISK_ASSIGN(const u64 after, disk.layers.front().file->allocated_size());
  result.punched_bytes = before - std::min(before, after);
  return {};
}

Result<Compacted> compact_in_place(const CompactOptions& options, Progress& progress) {
  OpenOptions open = options.open;
  open.access = Access::read_write;
  VDISK_ASSIGN(auto disk, open_view(options.path, open));
  auto& core = DiskAccess::core(disk);
  VDISK_TRY(check_state(core));
  File& file = *core.layers.front().file;
  Compacted result;
  VDISK_TRY(measure_before(file, result));
  VDISK_ASSIGN(const KeptTime time, KeptTime::of(core.layers.front()));
  const bool has_blocks = core.leaf().block_store() != nullptr;
  Status done;
  if (has_blocks) done = Packing(core, core.leaf(), result, progress).run();
  if (done && options.punch) done = punch_in_place(core, result, progress);
  VDISK_TRY(core.named(close_after(std::move(done), core.leaf(), file, time)));
  VDISK_TRY(measure_after(file, result));
  VDISK_TRY(progress.point_of_no_return());
  conclude(result, has_blocks);
  return result;
}

/// The image on a copy of its file that costs no more memory than the changes.
class Rehearsal {
 public:
  static Result<Rehearsal> open(const Disk::Core& view, const OpenOptions& options) {
    const Layer& leaf = view.layers.front();
    VDISK_ASSIGN(auto file, OverlayFile::create(leaf.file));
    const LayerRequest request{.path = leaf.path,
                               .file = file,
                               .access = Access::read_write,
                               .format = std::string(leaf.format->name)};
    VDISK_ASSIGN(auto layer, open_layer(request, options));
    return Rehearsal(std::move(file), std::move(layer));
  }

  [[nodiscard]] bool has_blocks() const { return layer_.image->block_store() != nullptr; }

  Status pack(const Disk::Core& view, Compacted& result, Progress& progress) {
    if (has_blocks()) VDISK_TRY(Packing(view, *layer_.image, result, progress).run());
    VDISK_TRY(view.named(layer_.image->close()));
    VDISK_ASSIGN(result.new_file_size, file_->size());
    result.new_allocated_size = result.old_allocated_size;
    return {};
  }

  [[nodiscard]] const OverlayFile& file() const { return *file_; }

 private:
  Rehearsal(std::shared_ptr<OverlayFile> file, Layer layer)
      : file_(std::move(file)), layer_(std::move(layer)) {}

  std::shared_ptr<OverlayFile> file_;
  Layer layer_;
};

Status replace_file(const CompactOptions& options, const OverlayFile& packed, const KeptTime& time,
                    Compacted& result, Progress& progress) {
  const auto file_system = file_system_of(options.open);
  // The image behind a link is replaced and not the link.
  VDISK_ASSIGN(const fs::path path, real_name(options.path, options.open));
  VDISK_ASSIGN(const auto file, file_system->create_beside(path));
  progress.phase("copy");
  progress.expect(std::max<u64>(result.new_file_size, 1));
  VDISK_TRY(packed.write_to(*file, [&](u64 bytes) { return progress.advance(bytes); }));
  progress.phase("flush");
  time.restore(*file);
  VDISK_TRY(file->flush());
  VDISK_TRY(progress.point_of_no_return());
  VDISK_TRY(file_system->publish(*file, path, true));
  return measure_after(*file, result);
}

Result<Compacted> compact_rehearsed(const CompactOptions& options, Progress& progress) {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto disk, open_view(options.path, open));
  const auto& core = DiskAccess::core(disk);
  VDISK_TRY(check_state(core));
  if (!options.estimate) VDISK_TRY(refuse_guarded(options.path));
  Compacted result;
  VDISK_TRY(measure_before(*core.layers.front().file, result));
  VDISK_ASSIGN(auto rehearsal, Rehearsal::open(core, open));
  VDISK_TRY(rehearsal.pack(core, result, progress));
  conclude(result, rehearsal.has_blocks());
  if (options.estimate || result.no_gain != NoGain::none) {
    VDISK_TRY(progress.point_of_no_return());
    return result;
  }
  VDISK_ASSIGN(const KeptTime time, KeptTime::of(core.layers.front()));
  VDISK_TRY(replace_file(options, rehearsal.file(), time, result, progress));
  return result;
}

Status check_options(const CompactOptions& options) {
  if (!options.punch || !(options.copy || options.estimate)) return {};
  return fail(Errc::invalid_argument,
              "zeros inside stored blocks are given back in place only, expected neither a copy "
              "nor an estimate");
}

}  // namespace

std::string_view name(NoGain reason) noexcept {
  switch (reason) {
    case NoGain::none: return "none";
    case NoGain::fixed: return "fixed";
    case NoGain::all_in_use: return "all_in_use";
    case NoGain::zeros_hide_parent: return "zeros_hide_parent";
    case NoGain::parent_unknown: break;
  }
  return "parent_unknown";
}

Result<Compacted> compact(const CompactOptions& options, Progress& progress) try {
  VDISK_TRY(check_options(options));
  if (options.estimate || options.copy) return compact_rehearsed(options, progress);
  return compact_in_place(options, progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
