/// A bounded write-back cache of metadata pages (BAT, sector bitmaps, metadata items).
///
/// Pages are `page_size` bytes at multiples of `page_size` from `base`. Clean pages are evicted
/// when the capacity is reached; dirty ones stay until the owner has written them out.
/// Threads: none of its own; the owner's metadata lock guards it.
#pragma once

#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "vdisk/file.h"

namespace vdisk {

struct PageCacheOptions {
  u32 page_size = 4096;
  u64 base = 0;  ///< file offset of page 0
  u64 capacity_bytes = 8 * mib;
};

/// A copy of a dirty page, as it was when the snapshot was taken.
struct DirtyPage {
  u64 offset = 0;  ///< in the file
  std::vector<std::byte> data;
  u64 version = 0;
};

class PageCache {
 public:
  PageCache(const File& file, const PageCacheOptions& options);

  /// The page that holds `offset`. The span is valid until the next call of any function.
  Result<std::span<const std::byte>> read(u64 offset);
  /// The same for changing: the page is dirty from now on.
  Result<std::span<std::byte>> modify(u64 offset);
  /// A dirty page of zeros, without reading the file: for space that was just allocated.
  Result<std::span<std::byte>> modify_fresh(u64 offset);

  [[nodiscard]] std::size_t dirty_count() const { return dirty_count_; }
  /// Copies of all dirty pages, by ascending offset.
  [[nodiscard]] std::vector<DirtyPage> dirty_pages() const;
  /// These pages are on disk (or in the log): clean unless changed since the snapshot.
  void mark_clean(std::span<const DirtyPage> pages);
  /// Forgets pages of a range that is no longer metadata, dirty or not.
  void drop(u64 offset, u64 length);

 private:
  struct Page {
    u64 offset;
    std::vector<std::byte> data;
    u64 version = 0;  ///< 0: clean
  };
  using Pages = std::list<Page>;  // front: used last

  Result<Page*> find(u64 offset, bool load);
  void evict_one();
  Pages::iterator erase(Pages::iterator page);
  Status load(Page& page) const;
  std::span<std::byte> touch(Page& page);
  [[nodiscard]] u64 page_start(u64 offset) const;

  const File& file_;
  PageCacheOptions options_;
  Pages pages_;
  std::unordered_map<u64, Pages::iterator> index_;
  std::size_t dirty_count_ = 0;
  u64 next_version_ = 1;
};

}  // namespace vdisk
