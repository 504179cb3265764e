#include "engine/digest_tree.h"

#include <algorithm>
#include <bit>

#define XXH_INLINE_ALL  // no call per piece, no library to load
#include <xxhash.h>

namespace vdisk {

namespace {

DigestTree::Value digest(const void* data, std::size_t size) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
  DigestTree::Value value;
  std::copy(std::begin(canonical.digest), std::end(canonical.digest), value.begin());
  return value;
}

DigestTree::Value join(const DigestTree::Value& left, const DigestTree::Value& right) {
  std::array<u8, 32> both;
  std::copy(left.begin(), left.end(), both.begin());
  std::copy(right.begin(), right.end(), both.begin() + left.size());
  return digest(both.data(), both.size());
}

}  // namespace

std::string hex_text(std::span<const u8> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const u8 byte : bytes) {
    hex.push_back(digits[byte >> 4]);
    hex.push_back(digits[byte & 15]);
  }
  return hex;
}

DigestTree::DigestTree() {
  const std::vector<std::byte> zeros(chunk_size);
  zero_tree_[0] = digest(zeros.data(), zeros.size());
  for (std::size_t height = 1; height < zero_tree_.size(); ++height) {
    zero_tree_[height] = join(zero_tree_[height - 1], zero_tree_[height - 1]);
  }
}

void DigestTree::add_chunk(std::span<const std::byte> chunk) {
  add({0, digest(chunk.data(), chunk.size())});
}

void DigestTree::add_zero_chunks(u64 count) {
  while (count > 0) {
    // The largest subtree that fits and that is not higher than the one it will stand beside.
    unsigned height = static_cast<unsigned>(std::bit_width(count)) - 1;
    if (!stack_.empty()) height = std::min(height, stack_.back().height);
    add({height, zero_tree_[height]});
    count -= u64{1} << height;
  }
}

void DigestTree::add(Subtree subtree) {
  while (!stack_.empty() && stack_.back().height == subtree.height) {
    subtree = {subtree.height + 1, join(stack_.back().digest, subtree.digest)};
    stack_.pop_back();
  }
  stack_.push_back(subtree);
}

std::string DigestTree::finish(u64 virtual_size) const {
  std::array<u8, 24> last{};
  if (!stack_.empty()) {
    Value root = stack_.back().digest;
    for (auto next = stack_.rbegin() + 1; next != stack_.rend(); ++next) {
      root = join(next->digest, root);
    }
    std::copy(root.begin(), root.end(), last.begin());
  }
  for (unsigned index = 0; index < 8; ++index) {
    last[16 + index] = static_cast<u8>(virtual_size >> (8 * index));
  }
  return hex_text(digest(last.data(), last.size()));
}

}  // namespace vdisk
