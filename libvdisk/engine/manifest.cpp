/// Manifests, and what changed since one was made.
#include "vdisk/manifest.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/exception_error.h"
#include "base/try.h"
#include "engine/block_hasher.h"
#include "engine/changed_ranges.h"
#include "engine/content.h"

namespace vdisk {

namespace {

/// The digests of a disk's blocks, one block after the other; blocks of zeros are passed over.
class ManifestWalk {
 public:
  ManifestWalk(const Disk& disk, Manifest& manifest, Progress& progress)
      : disk_(disk), manifest_(manifest), progress_(progress), hasher_(manifest.algorithm) {}

  Status run() {
    while (done_ < disk_.size()) {
      VDISK_ASSIGN(const auto run, padded_run_at(disk_, done_, disk_.size() - done_));
      const u64 end = run.offset + run.length;
      const u64 whole_end = end == disk_.size() ? end : round_down(end, manifest_.block_size);
      VDISK_TRY(!run.data && whole_end > done_ ? skip_to(whole_end) : add_block());
    }
    return {};
  }

 private:
  Status skip_to(u64 offset) {
    const u64 skipped = offset - done_;
    done_ = offset;
    return progress_.advance(skipped);
  }

  Status add_block() {
    const u64 index = done_ / manifest_.block_size;
    const u64 block_end = done_ + manifest_.block_size;
    const u64 end = std::min(block_end, disk_.size());
    bool has_data = false;
    while (done_ < end) {
      VDISK_ASSIGN(const auto run, padded_run_at(disk_, done_, end - done_));
      VDISK_ASSIGN(const bool data, run.data ? add_data(run) : add_zeros(run));
      has_data = has_data || data;
    }
    hasher_.add_zeros(block_end - end);
    const auto digest = hasher_.take();
    if (has_data) manifest_.blocks.push_back({index, digest});
    return {};
  }

  Result<bool> add_zeros(const ContentRun& run) {
    hasher_.add_zeros(run.length);
    VDISK_TRY(skip_to(run.offset + run.length));
    return false;
  }

  /// Whether some of it is not zero.
  Result<bool> add_data(const ContentRun& run) {
    const auto piece = std::span(buffer_).first(
        static_cast<std::size_t>(std::min<u64>(run.length, buffer_.size())));
    VDISK_TRY(disk_.read(done_, piece));
    hasher_.add(piece);
    VDISK_TRY(skip_to(done_ + piece.size()));
    return !is_zero(piece);
  }

  const Disk& disk_;
  Manifest& manifest_;
  Progress& progress_;
  BlockHasher hasher_;
  u64 done_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(piece_size);
};

Status check_block_size(u64 block_size) {
  const bool possible = std::has_single_bit(block_size) && block_size >= min_manifest_block &&
                        block_size <= max_manifest_block;
  if (possible) return {};
  return fail(Errc::invalid_argument,
              fmt::format("block size: {} bytes, expected a power of two from {} to {}", block_size,
                          min_manifest_block, max_manifest_block));
}

/// A manifest comes from a file that somebody else may have written.
Status check_manifest(const Manifest& manifest) {
  if (auto size = check_block_size(manifest.block_size); !size) {
    return fail(Errc::invalid_data, "manifest: " + size.error().message);
  }
  const u64 count = divide_up(manifest.virtual_size, manifest.block_size);
  for (std::size_t at = 0; at < manifest.blocks.size(); ++at) {
    const u64 index = manifest.blocks[at].index;
    const bool ascends = at == 0 || manifest.blocks[at - 1].index < index;
    if (ascends && index < count) continue;
    return fail(Errc::invalid_data,
                fmt::format("manifest: block {} at position {}, expected ascending ones below {}",
                            index, at, count));
  }
  return {};
}

Result<Manifest> manifest_of(const Disk& disk, u64 block_size, DigestAlgorithm algorithm,
                             Progress& progress) {
  Manifest manifest{.virtual_size = disk.size(), .block_size = block_size, .algorithm = algorithm};
  progress.phase("hash");
  progress.expect(disk.size());
  VDISK_TRY(ManifestWalk(disk, manifest, progress).run());
  return manifest;
}

Result<Disk> open_for_reading(const std::filesystem::path& path, OpenOptions open) {
  open.access = Access::read_only;
  return Disk::open(path, open);
}

/// Merges two lists of digests: what is in one of them alone, or differs.
Changes compare_manifests(const Manifest& since, const Manifest& now) {
  ChangedRanges ranges(now.block_size, now.virtual_size);
  auto old_block = since.blocks.begin();
  auto new_block = now.blocks.begin();
  while (old_block != since.blocks.end() || new_block != now.blocks.end()) {
    const bool has_old = old_block != since.blocks.end();
    const bool has_new = new_block != now.blocks.end();
    if (has_old && has_new && old_block->index == new_block->index) {
      if (*old_block != *new_block) ranges.add(new_block->index * now.block_size, false);
      ++old_block;
      ++new_block;
    } else if (has_new && (!has_old || new_block->index < old_block->index)) {
      ranges.add((new_block++)->index * now.block_size, false);
    } else {
      ranges.add((old_block++)->index * now.block_size, true);
    }
  }
  return ranges.take(since.virtual_size);
}

}  // namespace

std::size_t digest_length(DigestAlgorithm algorithm) noexcept {
  constexpr std::size_t sha256_length = 32;
  constexpr std::size_t xxh3_length = 16;
  return algorithm == DigestAlgorithm::sha256 ? sha256_length : xxh3_length;
}

Result<Manifest> make_manifest(const ManifestOptions& options, Progress& progress) try {
  VDISK_TRY(check_block_size(options.block_size));
  VDISK_ASSIGN(const auto disk, open_for_reading(options.path, options.open));
  return manifest_of(disk, options.block_size, options.algorithm, progress);
} catch (...) {
  return error_of_exception();
}

Result<ChangesSince> changes_since(const ChangesOptions& options, Progress& progress) try {
  VDISK_TRY(check_manifest(options.since));
  VDISK_ASSIGN(const auto disk, open_for_reading(options.path, options.open));
  ChangesSince result;
  VDISK_ASSIGN(result.now,
               manifest_of(disk, options.since.block_size, options.since.algorithm, progress));
  result.changes = compare_manifests(options.since, result.now);
  return result;
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
