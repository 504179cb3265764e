#include "engine/content_digest.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "engine/block_hasher.h"
#include "engine/content.h"
#include "engine/digest_tree.h"

namespace vdisk {

namespace {

/// Reads a chunk; zeros behind the end of the disk.
Status read_padded(const Disk& disk, u64 offset, std::span<std::byte> out) {
  const u64 stored = offset < disk.size() ? std::min<u64>(disk.size() - offset, out.size()) : 0;
  std::ranges::fill(out.subspan(stored), std::byte{});
  return stored > 0 ? disk.read(offset, out.first(stored)) : Status();
}

/// Walks the disk in chunks; the sink takes whole chunks of bytes or counts of zero chunks.
template <class Sink>
Status walk_chunks(const Disk& disk, u64 size, Sink& sink, Progress& progress) {
  constexpr u64 chunk_size = DigestTree::chunk_size;
  std::vector<std::byte> buffer(chunk_size);
  for (u64 offset = 0; offset < size;) {
    const u64 left = size - offset;
    VDISK_ASSIGN(const auto run, padded_run_at(disk, offset, left));
    const u64 whole_chunks = run.data ? 0 : run.length / chunk_size;
    const u64 zero_chunks = std::min(whole_chunks, Sink::zero_chunks_at_once);
    if (zero_chunks > 0) {
      sink.add_zero_chunks(zero_chunks);
      offset += zero_chunks * chunk_size;
      VDISK_TRY(progress.advance(zero_chunks * chunk_size));
      continue;
    }
    const auto chunk = std::span(buffer).first(std::min(left, chunk_size));
    VDISK_TRY(read_padded(disk, offset, chunk));
    sink.add_chunk(chunk);
    offset += chunk.size();
    VDISK_TRY(progress.advance(chunk.size()));
  }
  return {};
}

class TreeSink {
 public:
  static constexpr u64 zero_chunks_at_once = std::numeric_limits<u64>::max();

  void add_chunk(std::span<const std::byte> chunk) {
    bytes_read_ += chunk.size();
    tree_.add_chunk(chunk);
  }
  void add_zero_chunks(u64 count) { tree_.add_zero_chunks(count); }
  [[nodiscard]] u64 bytes_read() const { return bytes_read_; }
  [[nodiscard]] std::string finish(u64 size) const { return tree_.finish(size); }

 private:
  DigestTree tree_;
  u64 bytes_read_ = 0;
};

class Sha256Sink {
 public:
  /// Zeros take as long as data here: a cancel shall not wait for terabytes of them.
  static constexpr u64 zero_chunks_at_once = 16;

  void add_chunk(std::span<const std::byte> chunk) {
    bytes_read_ += chunk.size();
    hasher_.add(chunk);
  }
  void add_zero_chunks(u64 count) { hasher_.add_zeros(count * DigestTree::chunk_size); }
  [[nodiscard]] u64 bytes_read() const { return bytes_read_; }
  [[nodiscard]] std::string finish(u64) { return hex_text(hasher_.take()); }

 private:
  BlockHasher hasher_{DigestAlgorithm::sha256};
  u64 bytes_read_ = 0;
};

template <class Sink>
Result<Digest> digest_of(const Disk& disk, u64 size, std::string_view algorithm,
                         Progress& progress) {
  Sink sink;
  VDISK_TRY(walk_chunks(disk, size, sink, progress));
  return Digest{.algorithm = std::string(algorithm),
                .hex = sink.finish(size),
                .virtual_size = size,
                .bytes_hashed = sink.bytes_read()};
}

}  // namespace

Result<Digest> digest_content(const Disk& disk, u64 size, DigestAlgorithm algorithm,
                              Progress& progress) {
  if (algorithm == DigestAlgorithm::sha256) {
    return digest_of<Sha256Sink>(disk, size, "sha256", progress);
  }
  return digest_of<TreeSink>(disk, size, "xxh3-128-tree", progress);
}

}  // namespace vdisk
