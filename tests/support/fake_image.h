/// An image whose map is a plain array of sector states: the engine can be tested without a format.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "io/memory_file.h"
#include "vdisk/image.h"

namespace vdisk::test {

struct FakeImageOptions {
  u64 size = 64 * kib;
  u32 block_size = 4 * kib;
  bool differencing = false;
  bool can_drop_blocks = true;  ///< discard() works on whole blocks
};

/// What was asked of an image; outlives it.
struct FakeCalls {
  int flushes = 0;
  int reclaims = 0;
  int closes = 0;
};

/// Payload of guest offset x lives at file offset x.
class FakeImage : public Image {
 public:
  static constexpr u64 sector = 512;

  explicit FakeImage(const FakeImageOptions& options);

  /// Fills a range with a byte, as if it had been written before.
  void fill(u64 offset, u64 length, u8 value);
  void set_state(u64 offset, u64 length, State state);

  Geometry geometry() const override;
  File& file() const override { return *file_; }
  ImageInfo info() const override;
  Result<BlockCounts> count_blocks() const override { return BlockCounts{}; }
  Result<Extent> extent_at(u64 offset, u64 limit) const override;
  Result<Extent> reserve(u64 offset, u64 limit) override;
  Status commit(const Extent& written) override;
  Result<u64> discard(u64 offset, u64 length, State to) override;
  Status flush() override;
  void reclaim() override { ++calls_->reclaims; }
  Status expand(u64 new_size) override;
  Status shrink(u64 new_size) override;
  Guid content_id() const override { return {}; }
  Guid next_content_id() override { return {}; }
  Status link_parent(const ParentLink&) override { return {}; }
  Status close() override;

  [[nodiscard]] std::shared_ptr<const FakeCalls> calls() const { return calls_; }
  bool fail_flush = false;

 private:
  FakeImageOptions options_;
  std::shared_ptr<MemoryFile> file_;
  std::shared_ptr<FakeCalls> calls_ = std::make_shared<FakeCalls>();
  mutable std::mutex mutex_;
  std::vector<State> states_;
};

}  // namespace vdisk::test
