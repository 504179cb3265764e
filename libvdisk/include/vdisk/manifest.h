/// Manifests and differences: what has changed on a disk, for incremental backup.
#pragma once

#include <array>
#include <filesystem>
#include <vector>

#include "vdisk/operations.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// The digest of one block that is not zero.
struct BlockDigest {
  u64 index = 0;
  std::array<u8, 32> bytes = {};  ///< the first 16 of them for XXH3-128, else zeros

  bool operator==(const BlockDigest&) const = default;
};

/// Digests of all blocks of a disk. Blocks of zeros are left out, however they are stored, so that
/// a hole of terabytes costs nothing and equal content gives equal manifests in every format. The
/// last block counts as filled up with zeros.
struct Manifest {
  u64 virtual_size = 0;
  u64 block_size = 0;
  DigestAlgorithm algorithm = DigestAlgorithm::xxh3_128;
  std::vector<BlockDigest> blocks = {};  ///< by ascending index
};
/// Bytes of a digest.
[[nodiscard]] std::size_t digest_length(DigestAlgorithm algorithm) noexcept;
/// Blocks of a manifest are powers of two in this range.
inline constexpr u64 min_manifest_block = 4 * kib;
inline constexpr u64 max_manifest_block = 256 * mib;
inline constexpr u64 default_manifest_block = mib;

struct ManifestOptions {
  std::filesystem::path path;
  u64 block_size = default_manifest_block;
  DigestAlgorithm algorithm = DigestAlgorithm::xxh3_128;
  OpenOptions open = {};
};
Result<Manifest> make_manifest(const ManifestOptions& options, Progress& progress);

/// A range whose content changed.
struct ChangedRange {
  u64 offset = 0;
  u64 length = 0;
  bool zero = false;  ///< it reads as zeros now

  bool operator==(const ChangedRange&) const = default;
};

/// What must be copied to make an old copy like the disk is now: give it the new size, then take
/// over these ranges. What lies behind the old size and is not named reads as zeros.
struct Changes {
  u64 old_size = 0;
  u64 new_size = 0;
  u64 granularity = 0;  ///< ranges begin and end at multiples of this, or at the end of the disk
  u64 changed_bytes = 0;
  std::vector<ChangedRange> ranges = {};
};

/// What changed since a manifest was made; `now` is the manifest of the disk as it is.
struct ChangesSince {
  Changes changes = {};
  Manifest now = {};
};
struct ChangesOptions {
  std::filesystem::path path;
  Manifest since;
  OpenOptions open = {};
};
/// Errors: invalid_data when the manifest breaks its own rules.
Result<ChangesSince> changes_since(const ChangesOptions& options, Progress& progress);

/// What differs between two disks: what must be copied to turn `a` into `b`. Ranges that both take
/// from one place, a common ancestor say, are not read.
struct DiffOptions {
  std::filesystem::path a;
  std::filesystem::path b;
  u64 granularity = 64 * kib;  ///< a power of two, at least 512
  OpenOptions open = {};
};
Result<Changes> diff(const DiffOptions& options, Progress& progress);

}  // namespace vdisk
#pragma GCC visibility pop
