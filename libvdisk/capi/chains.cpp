/// Trees of images, and links between them.
#include "vdisk/chains.h"

#include <algorithm>

#include "capi/operation.h"
#include "capi/sized.h"
#include "capi/status.h"
#include "vdisk/operations.h"

namespace vdisk::capi {

namespace {

JobResult output_of(const Rebased& rebased) {
  auto result = of_type(VDISK_OUTPUT_REBASED);
  std::ranges::copy(rebased.parent_id.bytes, result.output.value.rebased.parent_id);
  result.output.value.rebased.identity_changed = rebased.identity_changed ? 1 : 0;
  return result;
}

JobResult output_of(const Relinked& relinked) {
  auto result = of_type(VDISK_OUTPUT_RELINKED);
  result.output.value.relinked = {relinked.images, relinked.links.size(),
                                  relinked.unresolved.size()};
  result.tree.images = relinked.unresolved;
  for (TreeImage& image : result.tree.images) image.parent.reset();  // there is no whole tree
  return result;
}

JobResult output_of(const ImageTree& tree) {
  auto result = of_type(VDISK_OUTPUT_TREE);
  result.output.value.tree.images = tree.images.size();
  result.tree = tree;
  return result;
}

Result<JobResult> find_children(const std::filesystem::path& path, const OpenOptions& options) {
  const auto children = children_of(path, options);
  if (!children) return std::unexpected(children.error());
  auto result = of_type(VDISK_OUTPUT_CHILDREN);
  result.output.value.children.children = children->size();
  for (const auto& child : *children) result.paths.push_back({VDISK_PATH_RESULT, child});
  return result;
}

vdisk_tree_image describe(const TreeImage& image) {
  vdisk_tree_image known{};  // its padding too
  known.struct_size = sizeof known;
  known.path = image.path.c_str();
  known.file_size = image.file_size;
  known.parent = image.parent ? *image.parent : VDISK_NO_PARENT;
  copy_text(std::string(name(image.parent_state)), known.parent_state);
  if (image.fault) {
    known.fault = status_of(image.fault->code);
    return known;
  }
  known.virtual_size = image.info.geometry.virtual_size;
  std::ranges::copy(image.content_id.bytes, known.id);
  known.type = type_number(image.info.type);
  known.dirty = image.dirty ? 1 : 0;
  copy_text(image.info.format, known.format);
  return known;
}

Result<RebaseOptions> rebase_options(const vdisk_rebase_options* given) {
  auto known = take(given);
  if (!known) return std::unexpected(std::move(known).error());
  RebaseOptions options;
  options.force_identity = known->force_identity != 0;
  options.dry_run = known->dry_run != 0;
  if (known->digest != nullptr) options.digest = known->digest;
  if (known->windows_path != nullptr) options.windows_path = known->windows_path;
  return options;
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_rebase(const char* child, const char* parent, const vdisk_rebase_options* given,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::RebaseOptions options = inputs.keep(capi::rebase_options(given));
    options.child = inputs.path(child, "child");
    options.parent = inputs.path(parent, "parent");
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::rebase, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_tree(const char* directory, uint32_t flags, const vdisk_open_options* open,
                        vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::TreeOptions options;
    inputs.flags(flags, VDISK_TREE_FLAT);
    options.directory = inputs.path(directory, "directory");
    options.recursive = flags == 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::image_tree, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_children(const char* path, const vdisk_open_options* open, vdisk_job** job,
                            vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    const auto name = inputs.path(path, "path");
    const auto options = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::start([=](vdisk::Progress&) { return capi::find_children(name, options); }, job);
  });
}

vdisk_status vdisk_relink(const char* directory, uint32_t flags, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::RelinkOptions options;
    inputs.flags(flags, VDISK_TREE_FLAT | VDISK_TREE_DRY_RUN);
    options.directory = inputs.path(directory, "directory");
    options.recursive = (flags & VDISK_TREE_FLAT) == 0;
    options.dry_run = (flags & VDISK_TREE_DRY_RUN) != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::relink, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_job_image(const vdisk_job* job, uint64_t index, vdisk_tree_image* image) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    const auto& images = (*result)->tree.images;
    if (index >= images.size()) return vdisk::fail(vdisk::Errc::not_found, "no such image");
    return capi::give(capi::describe(images[index]), image);
  });
}
