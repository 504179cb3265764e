/// Manifests and changed ranges.
#include <algorithm>
#include <bit>

#include "capi/operation.h"
#include "capi/status.h"
#include "vdisk/manifest.h"

struct vdisk_manifest {
  vdisk::Manifest manifest;
};

namespace vdisk::capi {

namespace {

JobResult output_of(const Changes& changes) {
  auto result = of_type(VDISK_OUTPUT_CHANGES);
  result.output.value.changes = {changes.old_size, changes.new_size, changes.granularity,
                                 changes.changed_bytes, changes.ranges.size()};
  for (const ChangedRange& range : changes.ranges) {
    result.ranges.push_back({range.offset, range.length, range.zero ? 1U : 0U, 0});
  }
  return result;
}

JobResult output_of(const ChangesSince& found) {
  auto result = output_of(found.changes);
  result.manifest = std::make_shared<const Manifest>(found.now);
  return result;
}

JobResult output_of(const Manifest& manifest) {
  auto result = of_type(VDISK_OUTPUT_MANIFEST);
  result.output.value.manifest = {manifest.virtual_size, manifest.block_size,
                                  manifest.blocks.size()};
  result.manifest = std::make_shared<const Manifest>(manifest);
  return result;
}

bool is_block_size(u64 size) {
  return std::has_single_bit(size) && size >= min_manifest_block && size <= max_manifest_block;
}

Status add_block(Manifest& manifest, u64 index, const uint8_t* digest) {
  if (digest == nullptr) return fail(Errc::invalid_argument, "digest: missing");
  if (!manifest.blocks.empty() && index <= manifest.blocks.back().index) {
    return fail(Errc::invalid_argument, "index: " + std::to_string(index) +
                                            ", expected more than that of the block before");
  }
  BlockDigest block{.index = index};
  std::copy_n(digest, digest_length(manifest.algorithm), block.bytes.begin());
  manifest.blocks.push_back(block);
  return {};
}

}  // namespace

}  // namespace vdisk::capi

namespace capi = vdisk::capi;
using vdisk::Errc;
using vdisk::fail;

vdisk_status vdisk_diff(const char* a, const char* b, uint64_t granularity,
                        const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::DiffOptions options;
    options.a = inputs.path(a, "a");
    options.b = inputs.path(b, "b");
    if (granularity != 0) options.granularity = granularity;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::diff, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_make_manifest(const char* path, uint64_t block_size, uint32_t sha256,
                                 const vdisk_open_options* open, vdisk_job** job,
                                 vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    capi::Inputs inputs;
    vdisk::ManifestOptions options;
    options.path = inputs.path(path, "path");
    if (block_size != 0) options.block_size = block_size;
    if (sha256 != 0) options.algorithm = vdisk::DigestAlgorithm::sha256;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::make_manifest, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_changes(const char* path, const vdisk_manifest* since,
                           const vdisk_open_options* open, vdisk_job** job, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (since == nullptr) return fail(Errc::invalid_argument, "since: missing");
    capi::Inputs inputs;
    vdisk::ChangesOptions options;
    options.path = inputs.path(path, "path");
    options.since = since->manifest;
    options.open = inputs.open(open);
    if (!inputs.status()) return inputs.status();
    return capi::run(vdisk::changes_since, capi::output_of, std::move(options), job);
  });
}

vdisk_status vdisk_job_range(const vdisk_job* job, uint64_t index, vdisk_range* range) {
  return capi::guarded(nullptr, [&]() -> vdisk::Status {
    if (range == nullptr) return fail(Errc::invalid_argument, "range: missing");
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    const auto& ranges = (*result)->ranges;
    if (index >= ranges.size()) return fail(Errc::not_found, "no such range");
    *range = ranges[index];
    return {};
  });
}

vdisk_status vdisk_job_manifest(const vdisk_job* job, vdisk_manifest** manifest,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (manifest == nullptr) return fail(Errc::invalid_argument, "manifest: missing");
    const auto result = capi::result_of(job);
    if (!result) return std::unexpected(result.error());
    const auto& made = (*result)->manifest;
    if (made == nullptr) return fail(Errc::not_found, "the operation makes no manifest");
    *manifest = new vdisk_manifest{*made};
    return {};
  });
}

vdisk_status vdisk_manifest_new(uint64_t virtual_size, uint64_t block_size, uint32_t sha256,
                                vdisk_manifest** manifest, vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (manifest == nullptr) return fail(Errc::invalid_argument, "manifest: missing");
    if (!capi::is_block_size(block_size)) {
      return fail(Errc::invalid_argument, "block_size: " + std::to_string(block_size) +
                                              ", expected a power of two, 4 KiB to 256 MiB");
    }
    vdisk::Manifest made{.virtual_size = virtual_size, .block_size = block_size};
    if (sha256 != 0) made.algorithm = vdisk::DigestAlgorithm::sha256;
    *manifest = new vdisk_manifest{std::move(made)};
    return {};
  });
}

vdisk_status vdisk_manifest_add(vdisk_manifest* manifest, uint64_t index, const uint8_t* digest,
                                vdisk_error** error) {
  return capi::guarded(error, [&]() -> vdisk::Status {
    if (manifest == nullptr) return fail(Errc::invalid_argument, "manifest: missing");
    return capi::add_block(manifest->manifest, index, digest);
  });
}

vdisk_status vdisk_manifest_shape(const vdisk_manifest* manifest, uint64_t* virtual_size,
                                  uint64_t* block_size, uint32_t* sha256) {
  if (manifest == nullptr) return VDISK_INVALID_ARGUMENT;
  const vdisk::Manifest& shape = manifest->manifest;
  if (virtual_size != nullptr) *virtual_size = shape.virtual_size;
  if (block_size != nullptr) *block_size = shape.block_size;
  if (sha256 != nullptr) *sha256 = shape.algorithm == vdisk::DigestAlgorithm::sha256 ? 1 : 0;
  return VDISK_SUCCESS;
}

uint64_t vdisk_manifest_count(const vdisk_manifest* manifest) {
  return manifest == nullptr ? 0 : manifest->manifest.blocks.size();
}

vdisk_status vdisk_manifest_block(const vdisk_manifest* manifest, uint64_t position,
                                  uint64_t* index, uint8_t* digest) {
  if (manifest == nullptr || index == nullptr || digest == nullptr) return VDISK_INVALID_ARGUMENT;
  const auto& blocks = manifest->manifest.blocks;
  if (position >= blocks.size()) return VDISK_NOT_FOUND;
  *index = blocks[position].index;
  std::ranges::copy(blocks[position].bytes, digest);
  return VDISK_SUCCESS;
}

void vdisk_manifest_free(vdisk_manifest* manifest) {
  delete manifest;
}
