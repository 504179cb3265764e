#include "engine/digest_tree.h"

#include <cstring>

#include <doctest/doctest.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace vdisk;

namespace {

/// The definition, written down recursively over whole content.
DigestTree::Value reference(const std::vector<DigestTree::Value>& leaves) {
  if (leaves.size() == 1) return leaves[0];
  std::size_t half = 1;
  while (half * 2 < leaves.size()) half *= 2;
  const auto middle = leaves.begin() + static_cast<std::ptrdiff_t>(half);
  const auto left = reference({leaves.begin(), middle});
  const auto right = reference({middle, leaves.end()});
  unsigned char both[32];
  std::memcpy(both, left.data(), 16);
  std::memcpy(both + 16, right.data(), 16);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(both, sizeof both));
  DigestTree::Value value;
  std::memcpy(value.data(), canonical.digest, 16);
  return value;
}

std::string reference_digest(const std::vector<std::byte>& content) {
  std::vector<DigestTree::Value> leaves;
  for (u64 at = 0; at < content.size(); at += DigestTree::chunk_size) {
    const auto length = std::min<u64>(content.size() - at, DigestTree::chunk_size);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(content.data() + at, length));
    std::memcpy(leaves.emplace_back().data(), canonical.digest, 16);
  }
  unsigned char last[24] = {};
  std::memcpy(last, reference(leaves).data(), 16);
  const u64 size = content.size();
  std::memcpy(last + 16, &size, sizeof size);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(last, sizeof last));
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    constexpr const char* digits = "0123456789abcdef";
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

}  // namespace

TEST_CASE("the tree digest follows its definition for every number of chunks") {
  for (const u64 size : {u64{512}, mib, mib + 512, 2 * mib, 3 * mib, 5 * mib + 4096, 7 * mib}) {
    CAPTURE(size);
    std::vector<std::byte> content(size);
    content[size / 2] = std::byte{7};
    DigestTree tree;
    for (u64 at = 0; at < size; at += DigestTree::chunk_size) {
      tree.add_chunk(std::span(content).subspan(at, std::min(size - at, DigestTree::chunk_size)));
    }
    CHECK(tree.finish(size) == reference_digest(content));
  }
}

TEST_CASE("zero chunks count like chunks of zero bytes, at every position") {
  const std::vector<std::byte> zeros(DigestTree::chunk_size);
  std::vector<std::byte> data(DigestTree::chunk_size, std::byte{3});
  for (u64 before = 0; before < 6; ++before) {
    for (u64 count = 1; count < 20; ++count) {
      DigestTree fast;
      DigestTree slow;
      for (u64 index = 0; index < before; ++index) {
        fast.add_chunk(data);
        slow.add_chunk(data);
      }
      fast.add_zero_chunks(count);
      for (u64 index = 0; index < count; ++index) slow.add_chunk(zeros);
      CHECK(fast.finish(1) == slow.finish(1));
    }
  }
}

TEST_CASE("disks of zeros of different sizes have different digests") {
  DigestTree tree;
  tree.add_zero_chunks(u64{1} << 26);
  CHECK(tree.finish(64 * tib) != tree.finish(64 * tib + 512));
}
