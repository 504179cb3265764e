/// Changes of the dynamic header: growing the disk, and linking to a parent. Either one sector of
/// the header changes, or a new header is appended and the footers switch to it.
#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/image_info.h"
#include "formats/vhd/image_sparse.h"
#include "formats/vhd/parent_locators.h"
#include "formats/vhd/timestamp.h"

namespace vdisk::vhd {

namespace {

constexpr u64 entry_size = sizeof(u32);
constexpr u64 piece_size = mib;

/// Fills a part of the BAT with "not allocated".
Status write_unallocated(File& file, u64 offset, u64 length) {
  const std::vector<std::byte> piece(std::min(length, piece_size), std::byte{0xFF});
  for (u64 done = 0; done < length;) {
    const u64 size = std::min<u64>(length - done, piece.size());
    VDISK_TRY(file.write_at(offset + done, std::span(piece).first(size)));
    done += size;
  }
  return {};
}

Status copy_entries(File& file, u64 from, u64 to, u64 length) {
  std::vector<std::byte> piece(std::min(length, piece_size));
  for (u64 done = 0; done < length;) {
    const auto part = std::span(piece).first(std::min<u64>(length - done, piece.size()));
    VDISK_TRY(file.read_at(from + done, part));
    VDISK_TRY(file.write_at(to + done, part));
    done += part.size();
  }
  return {};
}

Status write_header(File& file, u64 offset, const DynamicHeader& header) {
  const RawDynamicHeader raw = encode_dynamic_header(header);
  return file.write_at(offset, bytes_of(raw));
}

/// Requires that only fields of the first sector changed.
Status write_first_header_sector(File& file, u64 offset, const DynamicHeader& header) {
  const RawDynamicHeader raw = encode_dynamic_header(header);
  return file.write_at(offset, std::span<const std::byte>(bytes_of(raw)).first(sector_size));
}

bool second_sectors_equal(const DynamicHeader& a, const DynamicHeader& b) {
  const RawDynamicHeader raw_a = encode_dynamic_header(a);
  const RawDynamicHeader raw_b = encode_dynamic_header(b);
  return std::ranges::equal(std::span<const std::byte>(bytes_of(raw_a)).subspan(sector_size),
                            std::span<const std::byte>(bytes_of(raw_b)).subspan(sector_size));
}

}  // namespace

Status SparseImage::expand(u64 new_size) {
  VDISK_TRY(check_writable());
  const Layout now = layout();
  VDISK_TRY(validate_new_size(now, new_size));
  if (new_size == now.footer.current_size) return {};
  const u64 new_count = divide_up(new_size, now.header.block_size);
  if (new_count > max_block_count) {
    return fail(Errc::limit, fmt::format("{} blocks of {} bytes, expected at most {} blocks",
                                         new_count, now.header.block_size, max_block_count));
  }
  const std::lock_guard lock(flush_mutex_);
  VDISK_TRY(settle_before_change());
  const std::lock_guard allocation_lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  VDISK_TRY(clear_behind_end(now));
  Layout next = now;
  set_current_size(next.footer, new_size);
  next.virtual_size = new_size;
  next.block_count = new_count;
  VDISK_ASSIGN(const u64 room_end, first_use_behind_table());
  const bool fits = table_bytes(new_count) <= room_end - now.header.table_offset;
  VDISK_TRY(fits ? expand_in_place(next) : expand_by_new_table(next));
  VDISK_TRY(flush_file());
  return switch_to(std::move(next));
}

/// The footers are the switch; entries behind the end mean nothing from then on, and go afterwards.
Status SparseImage::shrink(u64 new_size) {
  VDISK_TRY(check_writable());
  const Layout now = layout();
  VDISK_TRY(validate_smaller_size(now, new_size));
  if (new_size == now.footer.current_size) return {};
  const std::lock_guard lock(flush_mutex_);
  VDISK_TRY(settle_before_change());
  const std::lock_guard allocation_lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  Layout next = now;
  set_current_size(next.footer, new_size);
  next.virtual_size = new_size;
  next.block_count = divide_up(new_size, now.header.block_size);
  last_places_.reset();
  planned_move_.reset();
  VDISK_TRY(switch_to(next));
  VDISK_TRY(give_up_behind_end(now.block_count));
  VDISK_TRY(clear_behind_end(next));
  return flush_file();
}

/// Blocks of the entries [block_count, old_count). A table that was made larger than the disk needs
/// is no longer so: other programs want exactly as many entries as there are blocks.
Status SparseImage::give_up_behind_end(u64 old_count) {
  Layout next = layout();
  const u64 count = next.block_count;
  const u64 begin = next.header.table_offset + count * entry_size;
  const u64 entries = std::max<u64>(old_count, next.header.max_table_entries) - count;
  if (entries == 0) return {};
  VDISK_TRY(for_each_entry(*file_, begin, old_count - count, [&](u64, u32 sector) {
    if (sector != unallocated) freed_.push_back({u64{sector} * sector_size, next.footprint()});
    return Status();
  }));
  VDISK_TRY(write_unallocated(*file_, begin, entries * entry_size));
  next.header.max_table_entries = static_cast<u32>(count);
  VDISK_TRY(write_first_header_sector(*file_, next.header_offset, next.header));
  return switch_to(std::move(next));
}

/// Metadata that a flush would write must not hit a table that moved.
Status SparseImage::settle_before_change() {
  bool settled = false;
  {
    const std::lock_guard allocation_lock(allocation_mutex_);
    const std::lock_guard lock(map_mutex_);
    settled = freed_.empty() && map_->dirty_bytes() == 0;
  }
  return settled ? Status() : write_metadata();
}

/// The last block may hold anything behind the old end of the disk; the guest is to see zeros.
Status SparseImage::clear_behind_end(const Layout& old_layout) {
  const u64 block_size = old_layout.header.block_size;
  const u64 end = round_down(old_layout.footer.current_size, sector_size);
  const u64 inside = end % block_size;
  if (inside == 0) return {};
  VDISK_ASSIGN(const auto place, find_place(end / block_size));
  if (!place) return {};
  const u64 data = *place + bitmap_bytes(old_layout.header.block_size);
  return file_->zero_at(data + inside, block_size - inside);
}

Result<u64> SparseImage::first_use_behind_table() {
  const Layout now = layout();
  const u64 table = now.header.table_offset;
  u64 first = now.footer_offset;
  const auto use = [&](u64 offset) {
    if (offset > table) first = std::min(first, offset);
  };
  for (const FileRange& range : metadata_ranges(now)) use(range.offset);
  for (const FileRange& range : freed_) use(range.offset);
  for (const FileRange& range : durably_freed_) use(range.offset);
  {
    const std::lock_guard lock(map_mutex_);
    for (const auto& [block, place] : map_->reserved()) use(place);
  }
  VDISK_TRY(for_each_entry(*file_, table, now.block_count, [&](u64, u32 sector) {
    if (sector != unallocated) use(u64{sector} * sector_size);
    return Status();
  }));
  return first;
}

Status SparseImage::expand_in_place(Layout& next) {
  const u64 old_count = layout().block_count;
  const u64 table = next.header.table_offset;
  const u64 begin = table + old_count * entry_size;
  const u64 end = table + table_bytes(next.block_count);
  VDISK_TRY(write_unallocated(*file_, begin, end - begin));
  if (next.block_count <= next.header.max_table_entries) return {};
  free_->withdraw({begin, end - begin});
  next.header.max_table_entries = static_cast<u32>(next.block_count);
  return write_first_header_sector(*file_, next.header_offset, next.header);
}

Status SparseImage::expand_by_new_table(Layout& next) {
  const u64 old_bytes = layout().block_count * entry_size;
  const u64 bytes = table_bytes(next.block_count);
  VDISK_ASSIGN(const u64 place, append_metadata(dynamic_header_size + bytes));
  const u64 old_table = next.header.table_offset;
  next.header.table_offset = place + dynamic_header_size;
  next.header.max_table_entries = static_cast<u32>(next.block_count);
  next.header_offset = place;
  next.footer.data_offset = place;
  VDISK_TRY(write_header(*file_, place, next.header));
  VDISK_TRY(copy_entries(*file_, old_table, next.header.table_offset, old_bytes));
  return write_unallocated(*file_, next.header.table_offset + old_bytes, bytes - old_bytes);
}

/// Room behind everything else. Where the file has to grow, its footer goes to the new end with
/// its old content; a crash before the next flush is rescued by the copy at 0.
Result<u64> SparseImage::append_metadata(u64 length) {
  if (const auto place = free_->take_from_tail(length)) return *place;
  const Layout now = layout();
  const u64 place = now.footer_offset + footer_size;
  const u64 new_offset = aligned_place(place + length, block_shape(now));
  VDISK_TRY(extend_with_footer(*file_, now, new_offset));
  {
    const std::lock_guard lock(map_mutex_);
    layout_.footer_offset = new_offset;
    layout_.file_size = new_offset + footer_size;
    map_->set_data_limit(new_offset);
  }
  known_zero_from_ = std::max(known_zero_from_, place + length);
  free_->grow(new_offset);
  free_->withdraw({place, length});
  return place;
}

/// Requires that everything the new footer names is durable. A failure leaves it unknown which
/// footer counts, so that nothing more is written.
Status SparseImage::switch_to(Layout next) {
  const Layout now = layout();
  next.footer_offset = now.footer_offset;
  next.file_size = now.file_size;
  if (next.footer != now.footer) {
    auto published = publish_footer(*file_, next.footer_offset, next.footer);
    if (!published) {
      failed_ = true;
      return published;
    }
  }
  auto map = std::make_unique<BlockMap>(*file_, next, options_.metadata_cache_bytes);
  const std::lock_guard lock(map_mutex_);
  for (const auto& [block, place] : map_->reserved()) {
    if (block < next.block_count) map->reserve(block, place);
  }
  map_ = std::move(map);
  layout_ = std::move(next);
  return {};
}

Status SparseImage::link_parent(const ParentLink& link) {
  VDISK_TRY(check_writable());
  Layout next = layout();
  if (!next.footer.is(DiskType::differencing)) {
    return fail(Errc::wrong_disk_kind,
                "a dynamic image has no parent, expected a differencing one");
  }
  if (link.accepted_ids.empty()) return fail(Errc::invalid_argument, "parent id: none given");
  next.header.parent_unique_id = link.accepted_ids.front();
  if (link.parent_modified_time) {
    next.header.parent_time_stamp = to_time_stamp(*link.parent_modified_time);
  }
  std::vector<EncodedLocator> locators;
  if (!link.paths.empty()) {
    VDISK_ASSIGN(locators, encode_locators(link.paths));
    VDISK_TRY(set_parent_name(next.header, last_component(link.paths.front().path)));
  }
  const std::lock_guard lock(flush_mutex_);
  VDISK_TRY(settle_before_change());
  const std::lock_guard allocation_lock(allocation_mutex_);
  VDISK_TRY(know_free_space());
  VDISK_TRY(store_link(next, locators));
  Verdict ignored;
  VDISK_ASSIGN(next.parent, read_parent_link(*file_, next.header,
                                             {next.header_offset, layout().file_size}, ignored));
  return switch_to(std::move(next));
}

Status SparseImage::change_description(const DescriptionChange& change) {
  VDISK_TRY(check_writable());
  Layout next = layout();
  VDISK_TRY(validate_description(next, change));
  if (!change.disk_id) return {};
  next.footer.unique_id = *change.disk_id;
  const std::lock_guard lock(flush_mutex_);
  VDISK_TRY(settle_before_change());
  const std::lock_guard allocation_lock(allocation_mutex_);
  VDISK_TRY(flush_file());
  return switch_to(std::move(next));
}

/// Writes the header of `next` durably: its first sector in place when nothing else changed, else
/// with its locators behind everything else.
Status SparseImage::store_link(Layout& next, const std::vector<EncodedLocator>& locators) {
  const DynamicHeader old_header = layout().header;
  if (locators.empty() && second_sectors_equal(old_header, next.header)) {
    VDISK_TRY(write_first_header_sector(*file_, next.header_offset, next.header));
    return flush_file();
  }
  VDISK_ASSIGN(const u64 place, append_metadata(dynamic_header_size + locator_bytes(locators)));
  const u64 areas = place + dynamic_header_size;
  const std::vector<std::byte> content = place_locators(next.header, locators, areas);
  VDISK_TRY(write_header(*file_, place, next.header));
  VDISK_TRY(file_->write_at(areas, content));
  next.header_offset = place;
  next.footer.data_offset = place;
  return flush_file();
}

}  // namespace vdisk::vhd
