#include "support/paged_content.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

#include "base/bytes.h"
#include "base/checksum.h"

namespace vdisk::test {

namespace {

/// Calls `piece(page index, offset in the page, offset in the range, length)` for each page.
template <class Function>
void for_each_piece(u64 offset, u64 length, Function piece) {
  for (u64 done = 0; done < length;) {
    const u64 at = offset + done;
    const u64 inside = at % PagedContent::page_size;
    const u64 step = std::min(PagedContent::page_size - inside, length - done);
    piece(at / PagedContent::page_size, inside, done, step);
    done += step;
  }
}

/// splitmix64: spreads the bits of a number.
u64 mixed(u64 value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

}  // namespace

void PagedContent::read(u64 offset, std::span<std::byte> out) const {
  for_each_piece(offset, out.size(), [&](u64 index, u64 inside, u64 done, u64 length) {
    const auto piece = out.subspan(done, length);
    if (const Page* found = page(index)) {
      std::memcpy(piece.data(), found->bytes.data() + inside, length);
    } else {
      std::memset(piece.data(), 0, length);
    }
  });
}

void PagedContent::write(u64 offset, std::span<const std::byte> data) {
  if (data.empty()) return;
  for_each_piece(offset, data.size(), [&](u64 index, u64 inside, u64 done, u64 length) {
    std::memcpy(own_page(index).bytes.data() + inside, data.data() + done, length);
  });
  size_ = std::max<u64>(size_, offset + data.size());
}

void PagedContent::clear(u64 offset, u64 length) {
  if (offset >= size_) return;
  length = std::min(length, size_ - offset);
  for_each_piece(offset, length, [&](u64 index, u64 inside, u64, u64 step) {
    if (page(index) == nullptr) return;
    const bool whole = step == page_size || (inside == 0 && index * page_size + step == size_);
    if (whole) {
      own_chunk(index / pages_per_chunk)[index % pages_per_chunk].reset();
    } else {
      std::fill_n(own_page(index).bytes.data() + inside, step, std::byte{});
    }
  });
}

void PagedContent::resize(u64 size) {
  if (size < size_) {
    clear(size, size_ - size);
    chunks_.resize(std::min<u64>(chunks_.size(), divide_up(size, pages_per_chunk * page_size)));
  }
  size_ = size;
}

Hole PagedContent::next_hole(u64 offset) const {
  u64 index = offset / page_size;
  while (page(index) != nullptr) ++index;
  const u64 begin = std::max(offset, index * page_size);
  if (begin >= size_) return {size_, 0};
  const u64 stored_end = chunks_.size() * pages_per_chunk;
  while (index < stored_end && page(index) == nullptr) {
    const bool no_chunk = chunks_[index / pages_per_chunk] == nullptr;
    index += no_chunk ? pages_per_chunk - index % pages_per_chunk : 1;
  }
  const u64 end = index < stored_end ? std::min(index * page_size, size_) : size_;
  return {begin, end - begin};
}

u64 PagedContent::hash() const {
  u64 sum = mixed(size_);
  for (u64 chunk = 0; chunk < chunks_.size(); ++chunk) {
    if (!chunks_[chunk]) continue;
    for (u64 n = 0; n < pages_per_chunk; ++n) {
      const Page* const found = (*chunks_[chunk])[n].get();
      if (found == nullptr) continue;
      const u64 hash = hash_of(*found);
      if (hash != 0) sum += mixed(hash + mixed(chunk * pages_per_chunk + n));
    }
  }
  return sum;
}

bool PagedContent::operator==(const PagedContent& other) const {
  if (size_ != other.size_) return false;
  const u64 pages = divide_up(size_, page_size);
  for (u64 index = 0; index < pages; ++index) {
    const Page* const a = page(index);
    const Page* const b = other.page(index);
    if (a == b) continue;
    if (a != nullptr && b != nullptr ? a->bytes != b->bytes
                                     : !is_zero((a != nullptr ? a : b)->bytes)) {
      return false;
    }
  }
  return true;
}

const PagedContent::Page* PagedContent::page(u64 index) const {
  const u64 chunk = index / pages_per_chunk;
  if (chunk >= chunks_.size() || !chunks_[chunk]) return nullptr;
  return (*chunks_[chunk])[index % pages_per_chunk].get();
}

PagedContent::Page& PagedContent::own_page(u64 index) {
  auto& found = own_chunk(index / pages_per_chunk)[index % pages_per_chunk];
  if (!found) {
    found = std::make_shared<Page>();
  } else if (found.use_count() > 1) {
    found = std::make_shared<Page>(*found);
  }
  found->hashed = false;
  return *found;
}

PagedContent::Chunk& PagedContent::own_chunk(u64 index) {
  if (index >= chunks_.size()) chunks_.resize(index + 1);
  auto& chunk = chunks_[index];
  if (!chunk) {
    chunk = std::make_shared<Chunk>();
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  return *chunk;
}

u64 PagedContent::hash_of(const Page& page) {
  if (page.hashed) return page.hash;
  const std::string_view text(reinterpret_cast<const char*>(page.bytes.data()), page_size);
  page.hash = is_zero(page.bytes) ? 0 : std::hash<std::string_view>()(text) | 1;
  page.hashed = true;
  return page.hash;
}

}  // namespace vdisk::test
