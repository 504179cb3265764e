/// The bytes of a file as shared pages: a copy costs a few pointers, and equal content has equal
/// hashes. What thousands of crash states of one file are made of.
///
/// Invariant: nothing but zeros behind the size. Threads: copies may be used by different threads
/// only if they share no page.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "vdisk/extent.h"

namespace vdisk::test {

class PagedContent {
 public:
  static constexpr u64 page_size = 4 * kib;

  [[nodiscard]] u64 size() const { return size_; }
  /// Requires a range inside the size.
  void read(u64 offset, std::span<std::byte> out) const;
  /// Extends where needed.
  void write(u64 offset, std::span<const std::byte> data);
  /// Makes a range zero, as far as it lies inside the size.
  void clear(u64 offset, u64 length);
  void resize(u64 size);
  /// As File::next_hole; pages that were never written are holes.
  [[nodiscard]] Hole next_hole(u64 offset) const;
  /// Of size and bytes; pages of zeros count as holes do.
  [[nodiscard]] u64 hash() const;
  [[nodiscard]] bool operator==(const PagedContent& other) const;

 private:
  struct Page {
    std::array<std::byte, page_size> bytes{};
    mutable u64 hash = 0;
    mutable bool hashed = false;
  };
  static constexpr u64 pages_per_chunk = 64;
  using Chunk = std::array<std::shared_ptr<Page>, pages_per_chunk>;

  [[nodiscard]] const Page* page(u64 index) const;
  Page& own_page(u64 index);
  Chunk& own_chunk(u64 index);
  static u64 hash_of(const Page& page);

  std::vector<std::shared_ptr<Chunk>> chunks_;
  u64 size_ = 0;
};

}  // namespace vdisk::test
