/// The operations as jobs: options in, a tagged structure out.
#include "vdisk/operations.h"

#include <algorithm>

#include "capi/operation.h"
#include "capi/options.h"
#include "capi/status.h"

namespace vdisk::capi {

namespace {

JobResult output_of(const CreatedDisk& created) {
  auto result = of_type(VDISK_OUTPUT_CREATED);
  std::copy(created.id.bytes.begin(), created.id.bytes.end(), result.output.value.created.id);
  result.output.value.created.virtual_size = created.virtual_size;
  result.paths.push_back({VDISK_PATH_RESULT, created.path});
  return result;
}

JobResult output_of(const Compacted& compacted) {
  auto result = of_type(VDISK_OUTPUT_COMPACTED);
  auto& value = result.output.value.compacted;
  value.reclaimed_bytes = compacted.reclaimed_bytes;
  value.moved_blocks = compacted.moved_blocks;
  value.old_file_size = compacted.old_file_size;
  value.new_file_size = compacted.new_file_size;
  copy_text(std::string(name(compacted.no_gain)), value.no_gain);
  return result;
}

JobResult output_of(const Merged& merged) {
  auto result = of_type(VDISK_OUTPUT_MERGED);
  result.output.value.merged = {merged.merged_bytes, merged.removed_files.size(),
                                merged.relinked_files.size()};
  result.paths.push_back({VDISK_PATH_RESULT, merged.into});
  for (const auto& path : merged.removed_files) result.paths.push_back({VDISK_PATH_REMOVED, path});
  for (const auto& path : merged.relinked_files) {
    result.paths.push_back({VDISK_PATH_RELINKED, path});
  }
  return result;
}

JobResult output_of(const Resized& resized) {
  auto result = of_type(VDISK_OUTPUT_RESIZED);
  auto& value = result.output.value.resized;
  value.old_size = resized.old_size;
  value.new_size = resized.new_size;
  value.reclaimed_bytes = resized.reclaimed_bytes;
  copy_text(std::string(name(resized.gpt)), value.gpt);
  return result;
}

JobResult output_of_shrink(const Resized& resized) {
  auto result = output_of(resized);
  result.output.type = VDISK_OUTPUT_SHRUNK;
  return result;
}

JobResult output_of(const Comparison& comparison) {
  auto result = of_type(VDISK_OUTPUT_COMPARISON);
  result.output.value.comparison = {comparison.size_a, comparison.size_b,
                                    comparison.first_difference.value_or(0),
                                    comparison.identical ? 1U : 0U, comparison.ranges.size()};
  for (const DifferingRange& range : comparison.ranges) {
    result.ranges.push_back({range.offset, range.length, 0, 0});
  }
  return result;
}

JobResult output_of(const Digest& digest) {
  auto result = of_type(VDISK_OUTPUT_DIGEST);
  result.output.value.digest.virtual_size = digest.virtual_size;
  result.output.value.digest.bytes_hashed = digest.bytes_hashed;
  copy_text(digest.algorithm, result.output.value.digest.algorithm);
  copy_text(digest.hex, result.output.value.digest.hex);
  return result;
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;

vdisk_status vdisk_create(const vdisk_target* target, uint64_t size, const char* source,
                          const char* parent, const vdisk_open_options* open, vdisk_job** job,
                          vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CreateOptions options{.target = inputs.keep(capi::target(target))};
    if (size != 0) options.size = size;
    options.source = capi::optional_path(source);
    options.parent = capi::optional_path(parent);
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::create, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_convert(const char* source, const vdisk_target* target,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return vdisk_convert_with(source, target, nullptr, open, job, error);
}

vdisk_status vdisk_convert_with(const char* source, const vdisk_target* target,
                                const vdisk_convert_options* given, const vdisk_open_options* open,
                                vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ConvertOptions options = inputs.keep(capi::convert_options(given));
    options.source = inputs.path(source, "source");
    options.target = inputs.keep(capi::target(target));
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::convert, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_expand(const char* path, uint64_t size, const vdisk_open_options* open,
                          vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ExpandOptions options;
    options.path = inputs.path(path, "path");
    options.size = size;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::expand, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_shrink(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ShrinkOptions options;
    inputs.flags(flags, VDISK_RESIZE_ALLOW_DATA_LOSS);
    options.path = inputs.path(path, "path");
    if (size != 0) options.size = size;
    options.allow_data_loss = flags != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::shrink, capi::output_of_shrink, std::move(options), job);
  });
}

vdisk_status vdisk_resize(const char* path, uint64_t size, uint32_t flags,
                          const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ResizeOptions options;
    inputs.flags(flags, VDISK_RESIZE_FIX_GPT | VDISK_RESIZE_ALLOW_DATA_LOSS);
    options.path = inputs.path(path, "path");
    options.size = size;
    options.fix_gpt = (flags & VDISK_RESIZE_FIX_GPT) != 0;
    options.allow_data_loss = (flags & VDISK_RESIZE_ALLOW_DATA_LOSS) != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::resize, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_merge(const char* child, const vdisk_merge_options* given,
                         const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::MergeOptions options = inputs.keep(capi::merge_options(given));
    options.child = inputs.path(child, "child");
    options.open = inputs.open(
        open, options.force_siblings ? capi::Unlisted::taken_as_empty : capi::Unlisted::refused);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::merge, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_compact(const char* path, uint32_t mode, uint32_t punch,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (mode > VDISK_COMPACT_ESTIMATE) {
      return vdisk::fail(vdisk::Errc::invalid_argument,
                         "mode: " + std::to_string(mode) + " is not known");
    }
    capi::Inputs inputs;
    vdisk::CompactOptions options;
    options.path = inputs.path(path, "path");
    options.estimate = mode == VDISK_COMPACT_ESTIMATE;
    options.copy = mode == VDISK_COMPACT_COPY;
    options.punch = punch != 0;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::compact, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_compare(const char* a, const char* b, const vdisk_open_options* open,
                           vdisk_job** job, vdisk_error** error) {
  return vdisk_compare_with(a, b, nullptr, open, job, error);
}

vdisk_status vdisk_compare_with(const char* a, const char* b, const vdisk_compare_options* given,
                                const vdisk_open_options* open, vdisk_job** job,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::CompareOptions options = inputs.keep(capi::compare_options(given));
    options.a = inputs.path(a, "a");
    options.b = inputs.path(b, "b");
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::compare, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_hash(const char* path, uint32_t sha256, const vdisk_open_options* open,
                        vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::HashOptions options;
    options.path = inputs.path(path, "path");
    if (sha256 != 0) options.algorithm = vdisk::DigestAlgorithm::sha256;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::hash, capi::output_of, std::move(options), job);
  });
}
