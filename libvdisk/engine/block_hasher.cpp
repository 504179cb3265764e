#include "engine/block_hasher.h"

#include <algorithm>

#include <nettle/sha2.h>
#define XXH_INLINE_ALL  // no call per piece, no library to load
#include <xxhash.h>

namespace vdisk {

namespace {
constexpr std::array<std::byte, 64 * kib> zeros{};
}

struct BlockHasher::State {
  DigestAlgorithm algorithm;
  XXH3_state_t* xxh3 = nullptr;
  sha256_ctx sha256 = {};

  void reset() {
    if (algorithm == DigestAlgorithm::sha256) {
      sha256_init(&sha256);
    } else {
      (void)XXH3_128bits_reset(xxh3);
    }
  }
};

BlockHasher::BlockHasher(DigestAlgorithm algorithm)
    : state_(std::make_unique<State>(State{.algorithm = algorithm})) {
  if (algorithm != DigestAlgorithm::sha256) state_->xxh3 = XXH3_createState();
  state_->reset();
}

BlockHasher::~BlockHasher() {
  (void)XXH3_freeState(state_->xxh3);
}

void BlockHasher::add(std::span<const std::byte> bytes) {
  if (state_->algorithm == DigestAlgorithm::sha256) {
    sha256_update(&state_->sha256, bytes.size(), reinterpret_cast<const u8*>(bytes.data()));
  } else {
    (void)XXH3_128bits_update(state_->xxh3, bytes.data(), bytes.size());
  }
}

void BlockHasher::add_zeros(u64 count) {
  while (count > 0) {
    const u64 length = std::min<u64>(count, zeros.size());
    add(std::span(zeros).first(length));
    count -= length;
  }
}

std::array<u8, 32> BlockHasher::take() {
  std::array<u8, 32> digest{};
  if (state_->algorithm == DigestAlgorithm::sha256) {
    sha256_digest(&state_->sha256, digest.size(), digest.data());
  } else {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->xxh3));
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), digest.begin());
  }
  state_->reset();
  return digest;
}

}  // namespace vdisk
