/// The BAT: which sector of the file each block starts at (FORMATS 1.9).
///
/// Never loaded whole: sectors of it are paged through a bounded cache, and scans stream it.
/// Threads: none of its own; the owner's metadata lock guards it.
#pragma once

#include <functional>

#include "formats/page_cache.h"
#include "formats/vhd/layout.h"

namespace vdisk::vhd {

/// Where one block lies in the file.
struct BlockShape {
  u64 bitmap_bytes = 0;
  u64 block_size = 0;
  [[nodiscard]] u64 footprint() const { return bitmap_bytes + block_size; }
};
[[nodiscard]] BlockShape block_shape(const Layout& layout);

/// Where a BAT entry stands, and how far blocks may reach.
struct EntryPlace {
  u64 index = 0;
  u64 table_offset = 0;
  u64 data_limit = 0;
  [[nodiscard]] u64 offset() const { return table_offset + index * sizeof(u32); }
};
/// Whether the block that a BAT entry names may be read (V26): it lies before the end footer and on
/// none of `forbidden`.
[[nodiscard]] bool is_sound_entry(u32 sector, u64 data_limit, const BlockShape& shape,
                                  std::span<const FileRange> forbidden);
/// The same as an error with the offset of the entry: bat_invalid, or file_size_invalid where the
/// block begins inside the file and ends behind it.
[[nodiscard]] Status validate_entry(u32 sector, const EntryPlace& place, const BlockShape& shape,
                                    std::span<const FileRange> forbidden);

/// Hands every entry to `visit`, reading the table in large pieces; an error of `visit` ends it.
using EntryVisitor = std::function<Status(u64 index, u32 sector)>;
Status for_each_entry(const File& file, u64 table_offset, u64 count, const EntryVisitor& visit);

class BlockTable {
 public:
  BlockTable(const File& file, u64 table_offset, u64 count, u64 cache_bytes);

  /// Requires index < count. Errors: io.
  Result<u32> entry(u64 index);
  Status set(u64 index, u32 sector);
  /// How many blocks from `index` on are not allocated, at most `limit`.
  Result<u64> unallocated_run(u64 index, u64 limit);
  /// How many blocks are allocated.
  Result<u64> allocated_count();

  [[nodiscard]] u64 count() const { return count_; }
  [[nodiscard]] u64 offset() const { return table_offset_; }
  [[nodiscard]] PageCache& pages() { return pages_; }

 private:
  u64 table_offset_;
  u64 count_;
  PageCache pages_;
};

}  // namespace vdisk::vhd
