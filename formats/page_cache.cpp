#include "formats/page_cache.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/try.h"

namespace vdisk {

namespace {
/// Pages are never fewer than this, however small the capacity asked for.
constexpr u64 smallest_page_count = 16;
}  // namespace

PageCache::PageCache(const File& file, const PageCacheOptions& options)
    : file_(file), options_(options) {}

Result<std::span<const std::byte>> PageCache::read(u64 offset) {
  VDISK_ASSIGN(Page * page, find(offset, true));
  return std::span<const std::byte>(page->data);
}

Result<std::span<std::byte>> PageCache::modify(u64 offset) {
  VDISK_ASSIGN(Page * page, find(offset, true));
  return touch(*page);
}

Result<std::span<std::byte>> PageCache::modify_fresh(u64 offset) {
  VDISK_ASSIGN(Page * page, find(offset, false));
  std::fill(page->data.begin(), page->data.end(), std::byte{});
  return touch(*page);
}

std::vector<DirtyPage> PageCache::dirty_pages() const {
  std::vector<DirtyPage> dirty;
  dirty.reserve(dirty_count_);
  for (const Page& page : pages_) {
    if (page.version != 0) dirty.push_back({page.offset, page.data, page.version});
  }
  std::sort(dirty.begin(), dirty.end(),
            [](const DirtyPage& a, const DirtyPage& b) { return a.offset < b.offset; });
  return dirty;
}

void PageCache::mark_clean(std::span<const DirtyPage> pages) {
  for (const DirtyPage& written : pages) {
    const auto found = index_.find(written.offset);
    if (found == index_.end() || found->second->version != written.version) continue;
    found->second->version = 0;
    --dirty_count_;
  }
}

void PageCache::drop(u64 offset, u64 length) {
  if (length == 0) return;
  const u64 first = page_start(offset);
  const u64 count = (page_start(offset + length - 1) - first) / options_.page_size + 1;
  if (count < pages_.size()) {
    for (u64 n = 0; n < count; ++n) {
      const auto found = index_.find(first + n * options_.page_size);
      if (found != index_.end()) erase(found->second);
    }
    return;
  }
  for (auto page = pages_.begin(); page != pages_.end();) {
    const bool inside = overlaps(page->offset, page->data.size(), offset, length);
    page = inside ? erase(page) : std::next(page);
  }
}

PageCache::Pages::iterator PageCache::erase(Pages::iterator page) {
  if (page->version != 0) --dirty_count_;
  index_.erase(page->offset);
  return pages_.erase(page);
}

Result<PageCache::Page*> PageCache::find(u64 offset, bool load_it) {
  const u64 start = page_start(offset);
  if (const auto found = index_.find(start); found != index_.end()) {
    if (found->second != pages_.begin()) pages_.splice(pages_.begin(), pages_, found->second);
    return &pages_.front();
  }
  const u64 capacity = std::max(options_.capacity_bytes / options_.page_size, smallest_page_count);
  if (pages_.size() >= capacity) evict_one();
  Page page{start, std::vector<std::byte>(options_.page_size)};
  if (load_it) VDISK_TRY(load(page));
  pages_.push_front(std::move(page));
  index_.emplace(start, pages_.begin());
  return &pages_.front();
}

void PageCache::evict_one() {
  const auto oldest = std::find_if(pages_.rbegin(), pages_.rend(),
                                   [](const Page& page) { return page.version == 0; });
  if (oldest == pages_.rend()) return;  // all dirty: the owner flushes before there are many
  index_.erase(oldest->offset);
  pages_.erase(std::next(oldest).base());
}

Status PageCache::load(Page& page) const {
  return file_.read_at(page.offset, page.data);
}

std::span<std::byte> PageCache::touch(Page& page) {
  if (page.version == 0) ++dirty_count_;
  page.version = next_version_++;
  return page.data;
}

u64 PageCache::page_start(u64 offset) const {
  return options_.base + round_down(offset - options_.base, options_.page_size);
}

}  // namespace vdisk
