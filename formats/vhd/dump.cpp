/// Field lists of the structures. Offsets of fields are absolute.
#include "formats/vhd/dump.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "base/utf16.h"
#include "formats/vhd/batmap.h"
#include "formats/vhd/block_table.h"
#include "formats/vhd/layout.h"

namespace vdisk::vhd {

namespace {

/// Runs of the BAT in one structure: a large table is shown in several.
constexpr std::size_t runs_in_structure = 1024;

/// Collects the fields of one structure.
class FieldList {
 public:
  FieldList(std::string name, u64 offset, u64 size) {
    structure_.name = std::move(name);
    structure_.offset = offset;
    structure_.size = size;
  }
  void add(std::string name, u64 at, u64 size, std::string value) {
    structure_.fields.push_back({std::move(name), structure_.offset + at, size, std::move(value)});
  }
  template <class Buffer>
  void add_number(std::string name, u64 at, const Buffer& buffer) {
    add(std::move(name), at, sizeof(Buffer), fmt::format("{:#x}", buffer.value()));
  }
  /// For structures that grow with their fields.
  void set_size(u64 size) { structure_.size = size; }
  [[nodiscard]] const Structure& structure() const { return structure_; }

 private:
  Structure structure_;
};

std::string printable(std::span<const char> text) {
  std::string shown;
  for (const char letter : text) {
    shown.push_back(letter >= ' ' && letter <= '~' ? letter : '.');
  }
  return shown;
}

Status dump_footer(const FooterCopy& copy, const RawFooter& raw, std::string name,
                   const StructureSink& sink) {
  FieldList list(std::move(name), copy.offset, copy.size);
  list.add("cookie", offsetof(RawFooter, cookie), 8, printable(raw.cookie));
  list.add_number("features", offsetof(RawFooter, features), raw.features);
  list.add_number("file_format_version", offsetof(RawFooter, file_format_version),
                  raw.file_format_version);
  list.add_number("data_offset", offsetof(RawFooter, data_offset), raw.data_offset);
  list.add_number("time_stamp", offsetof(RawFooter, time_stamp), raw.time_stamp);
  list.add("creator_application", offsetof(RawFooter, creator_application), 4,
           printable(raw.creator_application));
  list.add_number("creator_version", offsetof(RawFooter, creator_version), raw.creator_version);
  list.add("creator_host_os", offsetof(RawFooter, creator_host_os), 4,
           printable(raw.creator_host_os));
  list.add_number("original_size", offsetof(RawFooter, original_size), raw.original_size);
  list.add_number("current_size", offsetof(RawFooter, current_size), raw.current_size);
  list.add("disk_geometry", offsetof(RawFooter, cylinders), 4,
           fmt::format("{}/{}/{}", raw.cylinders.value(), raw.heads, raw.sectors_per_track));
  list.add_number("disk_type", offsetof(RawFooter, disk_type), raw.disk_type);
  list.add_number("checksum", offsetof(RawFooter, checksum), raw.checksum);
  list.add("unique_id", offsetof(RawFooter, unique_id), 16, to_string(Guid{raw.unique_id}));
  list.add("saved_state", offsetof(RawFooter, saved_state), 1, fmt::format("{}", raw.saved_state));
  list.add("hidden", offsetof(RawFooter, reserved), 1,
           fmt::format("{}", std::to_integer<u32>(raw.reserved[0])));
  return sink(list.structure());
}

Status dump_footer_at(const File& file, const FooterCopy& copy, std::string name,
                      const StructureSink& sink) {
  if (copy.state == FooterState::missing) return {};
  RawFooter raw{};
  VDISK_TRY(file.read_at(copy.offset, writable_bytes_of(raw).first(copy.size)));
  if (copy.state == FooterState::bad_checksum) name += " (wrong checksum)";
  return dump_footer(copy, raw, std::move(name), sink);
}

Status dump_locator(const RawParentLocator& raw, std::size_t slot, u64 offset,
                    const StructureSink& sink) {
  FieldList list(fmt::format("parent locator {}", slot), offset, sizeof(raw));
  list.add_number("platform_code", offsetof(RawParentLocator, platform_code), raw.platform_code);
  list.add_number("data_space", offsetof(RawParentLocator, data_space), raw.data_space);
  list.add_number("data_length", offsetof(RawParentLocator, data_length), raw.data_length);
  list.add_number("reserved", offsetof(RawParentLocator, reserved), raw.reserved);
  list.add_number("data_offset", offsetof(RawParentLocator, data_offset), raw.data_offset);
  return sink(list.structure());
}

Status dump_header(const RawDynamicHeader& raw, u64 offset, const StructureSink& sink) {
  FieldList list("dynamic header", offset, sizeof(raw));
  list.add("cookie", offsetof(RawDynamicHeader, cookie), 8, printable(raw.cookie));
  list.add_number("data_offset", offsetof(RawDynamicHeader, data_offset), raw.data_offset);
  list.add_number("table_offset", offsetof(RawDynamicHeader, table_offset), raw.table_offset);
  list.add_number("header_version", offsetof(RawDynamicHeader, header_version), raw.header_version);
  list.add_number("max_table_entries", offsetof(RawDynamicHeader, max_table_entries),
                  raw.max_table_entries);
  list.add_number("block_size", offsetof(RawDynamicHeader, block_size), raw.block_size);
  list.add_number("checksum", offsetof(RawDynamicHeader, checksum), raw.checksum);
  list.add("parent_unique_id", offsetof(RawDynamicHeader, parent_unique_id), 16,
           to_string(Guid{raw.parent_unique_id}));
  list.add_number("parent_time_stamp", offsetof(RawDynamicHeader, parent_time_stamp),
                  raw.parent_time_stamp);
  list.add("parent_unicode_name", offsetof(RawDynamicHeader, parent_unicode_name), parent_name_size,
           decode_utf16_lossy(raw.parent_unicode_name, ByteOrder::big));
  VDISK_TRY(sink(list.structure()));
  for (std::size_t slot = 0; slot < locator_count; ++slot) {
    const RawParentLocator& locator = raw.parent_locators[slot];
    if (locator.platform_code.value() == 0) continue;
    const u64 at = offset + offsetof(RawDynamicHeader, parent_locators) + slot * sizeof(locator);
    VDISK_TRY(dump_locator(locator, slot, at, sink));
  }
  return {};
}

/// Runs of the BAT: entries that are not allocated, that are equal, or that name blocks at an even
/// distance.
class TableDump {
 public:
  TableDump(u64 offset, u64 stride_sectors, const StructureSink& sink)
      : offset_(offset), stride_(stride_sectors), sink_(sink), list_(new_list()) {}

  Status add(u64 index, u32 sector) {
    const u64 length = index - begin_;
    const bool same = first_ == unallocated
                          ? sector == unallocated
                          : sector != unallocated && sector == first_ + length * distance_;
    if (index != 0 && same) return {};
    // The second entry of a run sets its distance, when that is one that aligned blocks have.
    if (length == 1 && fits_run(sector)) {
      distance_ = sector - first_;
      return {};
    }
    if (index != 0) VDISK_TRY(end_run(index));
    begin_ = index;
    first_ = sector;
    distance_ = stride_;
    return {};
  }
  Status finish(u64 count) {
    if (count != 0) VDISK_TRY(end_run(count));
    return sink_(list_.structure());
  }

 private:
  static constexpr u64 largest_padding = data_alignment / sector_size;

  [[nodiscard]] FieldList new_list() const {
    return {fmt::format("BAT from entry {}", begin_), offset_ + begin_ * sizeof(u32), 0};
  }
  [[nodiscard]] bool fits_run(u32 sector) const {
    if (first_ == unallocated || sector == unallocated) return false;
    return sector == first_ ||
           (sector >= first_ + stride_ && sector - first_ <= stride_ + largest_padding);
  }
  Status end_run(u64 end) {
    const u64 at = (begin_ * sizeof(u32) + offset_) - list_.structure().offset;
    const std::string value = first_ == unallocated
                                  ? std::string("not allocated")
                                  : fmt::format("sector {:#x}, {:#x} apart", first_, distance_);
    list_.add(fmt::format("entries {}-{}", begin_, end - 1), at, (end - begin_) * sizeof(u32),
              value);
    list_.set_size((end * sizeof(u32) + offset_) - list_.structure().offset);
    if (list_.structure().fields.size() < runs_in_structure) return {};
    VDISK_TRY(sink_(list_.structure()));
    begin_ = end;
    list_ = new_list();
    return {};
  }

  u64 offset_;
  u64 stride_;
  const StructureSink& sink_;
  u64 begin_ = 0;
  u32 first_ = unallocated;
  u64 distance_ = 0;
  FieldList list_;
};

Status dump_table(const File& file, const Layout& layout, const StructureSink& sink) {
  const u64 offset = layout.header.table_offset;
  TableDump table(offset, layout.footprint() / sector_size, sink);
  VDISK_TRY(for_each_entry(file, offset, layout.block_count,
                           [&](u64 index, u32 sector) { return table.add(index, sector); }));
  return table.finish(layout.block_count);
}

/// The batmap of an image that must have one, or what stands in its place.
Status dump_batmap(const File& file, const DynamicHeader& header, u64 file_size,
                   const StructureSink& sink) {
  RawBatmapHeader raw{};
  const u64 offset = batmap_header_offset(header);
  if (!lies_within(offset, sizeof(raw), 0, file_size)) return {};
  VDISK_TRY(file.read_at(offset, writable_bytes_of(raw)));
  FieldList list("batmap header", offset, sizeof(raw));
  list.add("cookie", offsetof(RawBatmapHeader, cookie), 8, printable(raw.cookie));
  list.add_number("batmap_offset", offsetof(RawBatmapHeader, batmap_offset), raw.batmap_offset);
  list.add_number("batmap_size_sectors", offsetof(RawBatmapHeader, batmap_size_sectors),
                  raw.batmap_size_sectors);
  list.add_number("version", offsetof(RawBatmapHeader, version), raw.version);
  list.add_number("checksum", offsetof(RawBatmapHeader, checksum), raw.checksum);
  return sink(list.structure());
}

}  // namespace

Status dump_image(const File& file, const StructureSink& sink) {
  VDISK_ASSIGN(const FooterPair pair, read_footers(file));
  VDISK_TRY(dump_footer_at(file, pair.head, "footer copy", sink));
  VDISK_ASSIGN(const Survey found, survey(file, VhdSize::current));
  const Layout& layout = found.layout;
  const bool sparse = layout.footer.is_sparse();
  if (sparse && lies_within(layout.header_offset, dynamic_header_size, 0, pair.file_size)) {
    RawDynamicHeader raw{};
    VDISK_TRY(file.read_at(layout.header_offset, writable_bytes_of(raw)));
    VDISK_TRY(dump_header(raw, layout.header_offset, sink));
    if (found.verdict.rejection() == nullptr) VDISK_TRY(dump_table(file, layout, sink));
    if (found.verdict.breaks("V41")) {
      VDISK_TRY(dump_batmap(file, layout.header, layout.file_size, sink));
    }
  }
  return dump_footer_at(file, pair.end, "footer", sink);
}

}  // namespace vdisk::vhd
