#include "engine/new_image.h"

#include <chrono>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "engine/parent_path.h"
#include "engine/split_image.h"
#include "formats/formats.h"

namespace vdisk {

namespace {

i64 seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Result<const Format*> target_format(const Target& target) {
  if (target.format) {
    if (const Format* format = find_format(*target.format)) return format;
    return fail(Errc::invalid_argument, fmt::format("unknown format '{}'", *target.format));
  }
  const std::string extension = target.path.extension().string();
  if (const Format* format = find_format_by_extension(extension)) return format;
  return fail(Errc::invalid_argument,
              fmt::format("{}: extension '{}': names no format, expected one or a format name",
                          target.path.string(), extension));
}

Result<ImageType> target_type(const Target& target, bool has_parent) {
  const auto type = target.type.value_or(has_parent ? ImageType::differencing : ImageType::dynamic);
  if ((type == ImageType::differencing) == has_parent) return type;
  return fail(Errc::invalid_argument,
              has_parent ? "a parent is given, expected the type to be differencing"
                         : "the type is differencing, expected a parent");
}

Result<u64> rounded_up(u64 size, u64 multiple) {
  const u64 excess = size % std::max<u64>(multiple, 1);
  if (excess == 0) return size;
  if (const auto rounded = checked_add(size, multiple - excess)) return *rounded;
  return fail(
      Errc::invalid_argument,
      fmt::format("size: {} bytes, expected one that has a multiple of {}", size, multiple));
}

/// Without its parents: they are not needed to look at what was just written.
Status inspect_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                     std::shared_ptr<File> file, const Inspect& inspect) {
  VDISK_ASSIGN(const Disk disk,
               open_new_image(std::move(file_system), plan, std::move(file), Access::read_only));
  return inspect(disk);
}

Status fill_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                  std::shared_ptr<File> file, const Fill& fill) {
  VDISK_ASSIGN(Disk disk,
               open_new_image(std::move(file_system), plan, std::move(file), Access::read_write));
  VDISK_TRY(fill(disk));
  return disk.close();
}

}  // namespace

Result<TargetPlan> plan_target(const Target& target, const TargetContext& context) {
  TargetPlan plan{.path = target.path, .spec = {}, .replace = target.replace};
  VDISK_ASSIGN(plan.format, target_format(target));
  VDISK_ASSIGN(plan.spec.type, target_type(target, context.parent.has_value()));
  if (context.size) {
    plan.spec.virtual_size = *context.size;
  } else if (context.parent) {
    plan.spec.virtual_size = context.parent->geometry.virtual_size;
  } else {
    return fail(Errc::invalid_argument, "no size is given, expected one");
  }
  VDISK_ASSIGN(plan.spec.virtual_size, rounded_up(plan.spec.virtual_size, target.size_multiple));
  plan.spec.block_size = target.block_size;
  plan.spec.logical_sector_size = target.logical_sector_size;
  plan.spec.physical_sector_size = target.physical_sector_size;
  plan.spec.id = target.id;
  plan.spec.created = seconds_since_1970();
  plan.spec.parent = context.parent;
  if (auto completed = plan.format->complete(plan.spec); !completed) {
    return std::unexpected(at_path(target.path, std::move(completed).error()));
  }
  return plan;
}

Result<TargetPlan> plan_copy(const Target& target, const Disk& source, std::optional<u64> size) {
  const u64 wanted = size.value_or(source.size());
  if (wanted < source.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("{}: size: {} bytes, expected at least {} bytes as the source",
                            target.path.string(), wanted, source.size()));
  }
  return plan_target(target, {wanted, std::nullopt});
}

Result<ParentSpec> describe_parent(const Layer& parent, const std::filesystem::path& child,
                                   FileSystem& file_system) {
  const ImageInfo info = parent.image->info();
  VDISK_ASSIGN(const auto child_path, file_system.absolute(child));
  VDISK_ASSIGN(const auto parent_path, file_system.absolute(parent.path));
  VDISK_ASSIGN(const i64 modified, parent.file->modified_time());
  VDISK_ASSIGN(auto relative_path, windows_relative_path(child_path.parent_path(), parent_path));
  return ParentSpec{
      .format = std::string(parent.format->name),
      .content_id = parent.image->content_id(),
      .disk_id = info.id,
      .geometry = info.geometry,
      .modified_time = modified,
      .file_name = parent_path.filename().string(),
      .relative_path = std::move(relative_path),
      .absolute_win32_path = {},
  };
}

Status check_target(FileSystem& file_system, const TargetPlan& plan, const Disk* source) {
  VDISK_TRY(refuse_part(file_system, plan.path));
  VDISK_TRY(refuse_guarded(plan.path));
  const auto existing = file_system.identity(plan.path);
  if (!existing) {
    if (kind(existing.error().code) == ErrorKind::not_found) return {};
    return std::unexpected(existing.error());
  }
  if (source != nullptr) {
    for (const Layer& layer : DiskAccess::core(*source).layers) {
      if (layer.id != *existing) continue;
      return fail(Errc::same_file, fmt::format("{}: is the source itself, expected another file",
                                               plan.path.string()));
    }
  }
  if (plan.replace) return {};
  return fail(Errc::file_exists, fmt::format("{}: exists already", plan.path.string()));
}

Result<CreatedDisk> build_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                                const BuildSteps& steps, Progress& progress) {
  const auto write = [&](const std::shared_ptr<File>& file) -> Status {
    if (auto created = plan.format->create(*file, plan.spec); !created) {
      return std::unexpected(at_path(plan.path, std::move(created).error()));
    }
    if (steps.fill) VDISK_TRY(fill_image(file_system, plan, file, steps.fill));
    return steps.inspect ? inspect_image(file_system, plan, file, steps.inspect) : Status();
  };
  return build_file(file_system, plan, write, progress);
}

Result<CreatedDisk> build_file(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                               const WriteFile& write, Progress& progress) {
  VDISK_ASSIGN(auto file, file_system->create_beside(plan.path));
  VDISK_TRY(write(file));
  progress.phase("flush");
  VDISK_TRY(file->flush());
  VDISK_TRY(progress.point_of_no_return());
  VDISK_TRY(file_system->publish(*file, plan.path, plan.replace));
  return describe(plan);
}

Result<Disk> open_new_image(std::shared_ptr<FileSystem> file_system, const TargetPlan& plan,
                            std::shared_ptr<File> file, Access access) {
  const LayerRequest request{.path = plan.path,
                             .file = std::move(file),
                             .access = access,
                             .format = std::string(plan.format->name),
                             .durability = Durability::unpublished};
  VDISK_ASSIGN(auto layer, open_layer(request, {}));
  Chain chain;
  chain.layers.push_back(std::move(layer));
  return DiskAccess::make(std::move(chain), access, std::move(file_system));
}

CreatedDisk describe(const TargetPlan& plan) {
  return CreatedDisk{.path = plan.path,
                     .id = plan.spec.id.value_or(Guid{}),
                     .virtual_size = plan.spec.virtual_size,
                     .format = std::string(plan.format->name),
                     .type = plan.spec.type,
                     .block_size = plan.spec.block_size.value_or(0)};
}

}  // namespace vdisk
