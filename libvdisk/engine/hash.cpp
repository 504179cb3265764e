/// hash: digests of the guest's content.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include <nettle/sha2.h>

#include "base/exception_error.h"
#include "base/try.h"
#include "engine/content.h"
#include "engine/digest_tree.h"
#include "vdisk/operations.h"

namespace vdisk {

namespace {

/// Walks the disk in chunks; the sink takes whole chunks of bytes or counts of zero chunks.
template <class Sink>
Status walk_chunks(const Disk& disk, Sink& sink, Progress& progress) {
  constexpr u64 chunk_size = DigestTree::chunk_size;
  std::vector<std::byte> buffer(chunk_size);
  for (u64 offset = 0; offset < disk.size();) {
    const u64 left = disk.size() - offset;
    VDISK_ASSIGN(const auto run, content_run_at(DiskAccess::core(disk), offset, left));
    const u64 whole_chunks = run.data ? 0 : run.length / chunk_size;
    const u64 zero_chunks = std::min(whole_chunks, Sink::zero_chunks_at_once);
    if (zero_chunks > 0) {
      sink.add_zero_chunks(zero_chunks);
      offset += zero_chunks * chunk_size;
      VDISK_TRY(progress.advance(zero_chunks * chunk_size));
      continue;
    }
    const auto chunk = std::span(buffer).first(std::min(left, chunk_size));
    VDISK_TRY(disk.read(offset, chunk));
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

  Sha256Sink() { sha256_init(&state_); }
  void add_chunk(std::span<const std::byte> chunk) {
    bytes_read_ += chunk.size();
    update(chunk);
  }
  void add_zero_chunks(u64 count) {
    for (u64 index = 0; index < count; ++index) update(zeros_);
  }
  [[nodiscard]] u64 bytes_read() const { return bytes_read_; }
  [[nodiscard]] std::string finish(u64) {
    std::array<u8, SHA256_DIGEST_SIZE> digest;
    sha256_digest(&state_, digest.size(), digest.data());
    std::string hex;
    for (const u8 byte : digest) {
      hex.push_back("0123456789abcdef"[byte >> 4]);
      hex.push_back("0123456789abcdef"[byte & 15]);
    }
    return hex;
  }

 private:
  void update(std::span<const std::byte> bytes) {
    sha256_update(&state_, bytes.size(), reinterpret_cast<const u8*>(bytes.data()));
  }

  sha256_ctx state_;
  u64 bytes_read_ = 0;
  std::vector<std::byte> zeros_ = std::vector<std::byte>(DigestTree::chunk_size);
};

template <class Sink>
Result<Digest> digest_of(const Disk& disk, std::string algorithm, Progress& progress) {
  progress.phase("hash");
  progress.expect(disk.size());
  Sink sink;
  VDISK_TRY(walk_chunks(disk, sink, progress));
  return Digest{.algorithm = std::move(algorithm),
                .hex = sink.finish(disk.size()),
                .virtual_size = disk.size(),
                .bytes_hashed = sink.bytes_read()};
}

}  // namespace

Result<Digest> hash(const HashOptions& options, Progress& progress) try {
  OpenOptions open = options.open;
  open.access = Access::read_only;
  VDISK_ASSIGN(const auto disk, Disk::open(options.path, open));
  if (options.algorithm == DigestAlgorithm::sha256) {
    return digest_of<Sha256Sink>(disk, "sha256", progress);
  }
  return digest_of<TreeSink>(disk, "xxh3-128-tree", progress);
} catch (...) {
  return error_of_exception();
}

}  // namespace vdisk
