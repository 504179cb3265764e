/// create: new images, empty, filled or on top of a parent.
#include <fmt/format.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/chain.h"
#include "engine/new_image.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

OpenOptions read_only(OpenOptions options) {
  options.access = Access::read_only;
  return options;
}

Result<CreatedDisk> create_child(const CreateOptions& options, Progress& progress) {
  auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(auto parent, Disk::open(*options.parent, read_only(options.open)));
  if (parent.depth() >= max_chain_depth) {
    return fail(Errc::chain_too_deep,
                fmt::format("{}: chain: {} layers, expected fewer, as a child could not be opened",
                            options.parent->string(), parent.depth()));
  }
  const Layer& layer = DiskAccess::core(parent).layers.front();
  VDISK_ASSIGN(auto spec, describe_parent(layer, options.target.path, *file_system));
  spec.absolute_win32_path = options.parent_windows_path.value_or(std::string());
  VDISK_ASSIGN(const auto plan, plan_target(options.target, {options.size, spec}));
  VDISK_TRY(check_target(*file_system, plan, &parent));
  return build_image(std::move(file_system), plan, {}, progress);
}

}  // namespace

Result<CreatedDisk> create(const CreateOptions& options, Progress& progress) try {
  if (options.parent && options.source) {
    return fail(Errc::invalid_argument, "a source and a parent are given, expected one of them");
  }
  if (options.parent) return create_child(options, progress);
  if (options.source) {
    return convert({.source = *options.source,
                    .target = options.target,
                    .size = options.size,
                    .open = options.open},
                   progress);
  }
  auto file_system = file_system_of(options.open);
  VDISK_ASSIGN(const auto plan, plan_target(options.target, {options.size, std::nullopt}));
  VDISK_TRY(check_target(*file_system, plan, nullptr));
  return build_image(std::move(file_system), plan, {}, progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
