#include "io/memory_file.h"

#include <algorithm>
#include <limits>
#include <mutex>

#include <fmt/format.h>

#include "base/bytes.h"
#include "io/copy_loop.h"

namespace vdisk {

namespace {

constexpr u64 page_size = 4 * kib;
/// The largest file offset of the operating system, so that both kinds of file refuse the same.
constexpr u64 largest_size = std::numeric_limits<i64>::max();
/// Told apart from every device number of the host.
constexpr u64 memory_device = ~u64{0};

/// Calls `piece(page offset, offset in the page, offset in the range, length)` for each page.
template <class Function>
void for_each_piece(u64 offset, u64 length, Function piece) {
  for (u64 done = 0; done < length;) {
    const u64 page = round_down(offset + done, page_size);
    const u64 inside = offset + done - page;
    const u64 step = std::min(page_size - inside, length - done);
    piece(page, inside, done, step);
    done += step;
  }
}

}  // namespace

MemoryFile::MemoryFile(std::string name) : name_(std::move(name)) {}

std::shared_ptr<MemoryFile> MemoryFile::with_content(std::span<const std::byte> content,
                                                     std::string name) {
  auto file = std::make_shared<MemoryFile>(std::move(name));
  (void)file->write_at(0, content);
  return file;
}

std::shared_ptr<MemoryFile> MemoryFile::clone() const {
  auto copy = std::make_shared<MemoryFile>(name_);
  const std::shared_lock lock(mutex_);
  copy->pages_ = pages_;
  copy->size_ = size_;
  copy->modified_time_ = modified_time_;
  return copy;
}

std::vector<std::byte> MemoryFile::content() const {
  std::vector<std::byte> bytes;
  const std::shared_lock lock(mutex_);
  bytes.resize(size_);
  for (const auto& [offset, page] : pages_) {
    if (offset >= size_) break;
    const u64 length = std::min(page_size, size_ - offset);
    std::copy_n(page.data(), length, bytes.data() + offset);
  }
  return bytes;
}

Status MemoryFile::set_modified_time(i64 seconds) {
  const std::unique_lock lock(mutex_);
  modified_time_ = seconds;
  return {};
}

Status MemoryFile::read_at(u64 offset, std::span<std::byte> out) const {
  const std::shared_lock lock(mutex_);
  if (!lies_within(offset, out.size(), 0, size_)) {
    return fail_at(offset, Errc::end_of_file,
                   fmt::format("{}: read of {} bytes at {:#x}: the file ends at {:#x}", name_,
                               out.size(), offset, size_));
  }
  for_each_piece(offset, out.size(), [&](u64 start, u64 inside, u64 done, u64 length) {
    const auto piece = out.subspan(done, length);
    const auto found = pages_.find(start);
    if (found == pages_.end()) {
      std::fill(piece.begin(), piece.end(), std::byte{});
    } else {
      std::copy_n(found->second.data() + inside, length, piece.data());
    }
  });
  return {};
}

Status MemoryFile::write_at(u64 offset, std::span<const std::byte> data) {
  if (auto ok = check_end("write", offset, data.size()); !ok) return ok;
  const std::unique_lock lock(mutex_);
  for_each_piece(offset, data.size(), [&](u64 start, u64 inside, u64 done, u64 length) {
    Page& page = pages_[start];
    if (page.empty()) page.resize(page_size);
    std::copy_n(data.data() + done, length, page.data() + inside);
  });
  if (!data.empty()) size_ = std::max(size_, offset + data.size());
  return {};
}

Status MemoryFile::zero_at(u64 offset, u64 length) {
  if (auto ok = check_end("zeroing", offset, length); !ok) return ok;
  const std::unique_lock lock(mutex_);
  clear(offset, length);
  if (length != 0) size_ = std::max(size_, offset + length);
  return {};
}

Status MemoryFile::punch_at(u64 offset, u64 length) {
  const std::unique_lock lock(mutex_);
  if (offset < size_) clear(offset, std::min(length, size_ - offset));
  return {};
}

Status MemoryFile::copy_from(const File& source, u64 source_offset, u64 target_offset, u64 length) {
  return copy_by_loop(source, *this, {source_offset, target_offset, length});
}

Result<u64> MemoryFile::size() const {
  const std::shared_lock lock(mutex_);
  return size_;
}

Status MemoryFile::resize(u64 new_size) {
  if (auto ok = check_end("resize", new_size, 0); !ok) return ok;
  const std::unique_lock lock(mutex_);
  if (new_size < size_) clear(new_size, size_ - new_size);
  size_ = new_size;
  return {};
}

Result<Hole> MemoryFile::next_hole(u64 offset) const {
  const std::shared_lock lock(mutex_);
  auto page = pages_.find(round_down(offset, page_size));
  while (page != pages_.end() && page->first <= offset) {
    offset = page->first + page_size;
    ++page;
  }
  if (offset >= size_) return Hole{size_, 0};
  const auto next = pages_.lower_bound(offset);
  const u64 end = next == pages_.end() ? size_ : std::min(next->first, size_);
  return Hole{offset, end - offset};
}

Result<u64> MemoryFile::allocated_size() const {
  const std::shared_lock lock(mutex_);
  return pages_.size() * page_size;
}

Result<FileId> MemoryFile::identity() const {
  return FileId{memory_device, reinterpret_cast<std::uintptr_t>(this)};
}

Result<i64> MemoryFile::modified_time() const {
  const std::shared_lock lock(mutex_);
  return modified_time_;
}

Status MemoryFile::check_end(std::string_view verb, u64 offset, u64 length) const {
  if (lies_within(offset, length, 0, largest_size)) return {};
  return fail_at(offset, Errc::file_system_limit,
                 fmt::format("{}: {} of {} bytes at {:#x}: the file would be larger than {:#x}",
                             name_, verb, length, offset, largest_size));
}

void MemoryFile::clear(u64 offset, u64 length) {
  const u64 end = offset + length;
  const u64 first_whole = round_up(offset, page_size);
  const u64 whole_end = round_down(end, page_size);
  if (first_whole > whole_end) return clear_inside_page(offset, length);
  clear_inside_page(offset, first_whole - offset);
  pages_.erase(pages_.lower_bound(first_whole), pages_.lower_bound(whole_end));
  clear_inside_page(whole_end, end - whole_end);
}

void MemoryFile::clear_inside_page(u64 offset, u64 length) {
  const u64 start = round_down(offset, page_size);
  const auto page = pages_.find(start);
  if (page == pages_.end() || length == 0) return;
  std::fill_n(page->second.data() + (offset - start), length, std::byte{});
}

}  // namespace vdisk
