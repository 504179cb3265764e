#include "formats/vhdx/page_edit.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/same_bytes.h"
#include "base/try.h"

namespace vdisk::vhdx {

namespace {
constexpr u64 page_size = 4096;
}

Status PageEdit::put(u64 offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    VDISK_ASSIGN(Page * page, page_at(round_down(offset, page_size)));
    const auto room = std::span(page->data).subspan(offset % page_size);
    const auto part = data.first(std::min(data.size(), room.size()));
    page->changed = page->changed || !same_bytes(part, room.first(part.size()));
    std::ranges::copy(part, room.begin());
    offset += part.size();
    data = data.subspan(part.size());
  }
  return {};
}

std::vector<DirtyPage> PageEdit::take() {
  std::vector<DirtyPage> pages;
  for (auto& [offset, page] : pages_) {
    if (page.changed) pages.push_back({offset, std::move(page.data)});
  }
  pages_.clear();
  return pages;
}

Result<PageEdit::Page*> PageEdit::page_at(u64 offset) {
  const auto [found, added] = pages_.try_emplace(offset);
  Page& page = found->second;
  if (added) {
    page.data.resize(page_size);
    VDISK_TRY(file_.read_at(offset, page.data));
  }
  return &page;
}

}  // namespace vdisk::vhdx
