/// create and convert: new images, empty, filled or on top of a parent.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/chain.h"
#include "engine/copy.h"
#include "engine/new_image.h"
#include "engine/parent_path.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

OpenOptions read_only(OpenOptions options) {
  options.access = Access::read_only;
  return options;
}

/// What the new child must say about its parent.
Result<ParentSpec> describe_parent(const Disk& parent, const CreateOptions& options,
                                   FileSystem& file_system) {
  const Layer& layer = DiskAccess::core(parent).layers.front();
  const ImageInfo info = layer.image->info();
  VDISK_ASSIGN(const auto child_path, file_system.absolute(options.target.path));
  VDISK_ASSIGN(const auto parent_path, file_system.absolute(layer.path));
  VDISK_ASSIGN(const i64 modified, layer.file->modified_time());
  return ParentSpec{
      .format = std::string(layer.format->name),
      .content_id = layer.image->content_id(),
      .disk_id = info.id,
      .geometry = info.geometry,
      .modified_time = modified,
      .file_name = parent_path.filename().string(),
      .relative_path = windows_relative_path(child_path.parent_path(), parent_path),
      .absolute_win32_path = options.parent_windows_path.value_or(std::string()),
  };
}

Result<CreatedDisk> create_child(const CreateOptions& options, Progress& progress) {
  auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(auto parent, Disk::open(*options.parent, read_only(options.open)));
  if (parent.depth() >= max_chain_depth) {
    return fail(Errc::chain_too_deep,
                fmt::format("{}: chain: {} layers, expected fewer, as a child could not be opened",
                            options.parent->string(), parent.depth()));
  }
  VDISK_ASSIGN(const auto spec, describe_parent(parent, options, *file_system));
  VDISK_ASSIGN(const auto plan, plan_target(options.target, {options.size, spec}));
  VDISK_TRY(check_target(*file_system, plan, &parent));
  return build_image(std::move(file_system), plan, {}, progress);
}

Result<CreatedDisk> create_copy(const std::filesystem::path& source_path, const Target& target,
                                std::optional<u64> size, const OpenOptions& open,
                                Progress& progress) {
  auto file_system = file_system_of(open);
  VDISK_ASSIGN(auto source, Disk::open(source_path, read_only(open)));
  const u64 wanted = size.value_or(source.size());
  if (wanted < source.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("{}: size: {} bytes, expected at least {} bytes as the source",
                            target.path.string(), wanted, source.size()));
  }
  VDISK_ASSIGN(const auto plan, plan_target(target, {wanted, std::nullopt}));
  VDISK_TRY(check_target(*file_system, plan, &source));
  progress.phase("copy");
  progress.expect(source.size());
  const auto fill = [&](Disk& disk) { return copy_content(source, disk, progress); };
  return build_image(std::move(file_system), plan, fill, progress);
}

}  // namespace

Result<CreatedDisk> create(const CreateOptions& options, Progress& progress) try {
  if (options.parent && options.source) {
    return fail(Errc::invalid_argument, "a source and a parent are given, expected one of them");
  }
  if (options.parent) return create_child(options, progress);
  if (options.source) {
    return create_copy(*options.source, options.target, options.size, options.open, progress);
  }
  auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(const auto plan, plan_target(options.target, {options.size, std::nullopt}));
  VDISK_TRY(check_target(*file_system, plan, nullptr));
  return build_image(std::move(file_system), plan, {}, progress);
} catch (...) {
  return error_of_exception();
}

Result<CreatedDisk> convert(const ConvertOptions& options, Progress& progress) try {
  return create_copy(options.source, options.target, std::nullopt, options.open, progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
