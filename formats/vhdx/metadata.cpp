#include "formats/vhdx/metadata.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/vhdx/bat.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/metadata_rules.h"
#include "formats/vhdx/rules.h"

namespace vdisk::vhdx {

namespace {

constexpr u32 is_user_flag = 1;
constexpr u32 is_virtual_disk_flag = 2;
constexpr u32 is_required_flag = 4;
constexpr u32 all_item_flags = is_user_flag | is_virtual_disk_flag | is_required_flag;

constexpr u32 leave_blocks_allocated_flag = 1;
constexpr u32 has_parent_flag = 2;

Result<MetadataItem> decode_item(const RawMetadataEntry& raw, u64 place) {
  const u32 flags = raw.flags.value();
  const MetadataItem item{.id = decode(raw.item_id),
                          .is_user = (flags & is_user_flag) != 0,
                          .is_virtual_disk = (flags & is_virtual_disk_flag) != 0,
                          .is_required = (flags & is_required_flag) != 0,
                          .offset = raw.offset.value(),
                          .length = raw.length.value()};
  if ((flags & ~all_item_flags) != 0 || raw.reserved2.value() != 0 ||
      (item.is_user && item.is_required)) {
    return broken(
        29, Errc::corrupt, place,
        fmt::format("metadata entry at {:#x}: flags {:#x}, reserved {:#x}, expected known "
                    "flags, not user and required at once",
                    place, flags, raw.reserved2.value()));
  }
  return item;
}

Result<std::vector<MetadataItem>> read_table(const File& file, const Region& region) {
  std::vector<std::byte> table(metadata_table_size);
  VDISK_TRY(file.read_at(region.offset, table));
  const auto raw = load<RawMetadataTableHeader>(table);
  const u32 count = raw.entry_count.value();
  if (!equals_text(raw.signature, metadata_signature) || count > max_metadata_entries ||
      raw.reserved.value() != 0 || !is_zero(raw.reserved2)) {
    return broken(26, Errc::corrupt, region.offset,
                  fmt::format("metadata table at {:#x}: signature, reserved bytes or {} entries "
                              "wrong, expected `metadata` and at most 2047",
                              region.offset, count));
  }
  std::vector<MetadataItem> items;
  for (u32 index = 0; index < count; ++index) {
    const u64 place = sizeof raw + u64{index} * sizeof(RawMetadataEntry);
    const auto entry = load<RawMetadataEntry>(std::span(table).subspan(place));
    VDISK_ASSIGN(const MetadataItem item, decode_item(entry, region.offset + place));
    items.push_back(item);
  }
  return items;
}

/// Reads a known item of fixed length into its raw form (X31).
template <class T>
Status read_item(const File& file, const Region& region, const Metadata& metadata, const Guid& id,
                 T& raw) {
  const MetadataItem* item = metadata.find(id);
  if (item == nullptr || item->length != sizeof raw) {
    return broken(
        31, Errc::corrupt, region.offset,
        fmt::format(
            "metadata table at {:#x}: item {} {}, expected {} bytes", region.offset, to_string(id),
            item == nullptr ? "missing" : fmt::format("of {} bytes", item->length), sizeof raw));
  }
  return file.read_at(region.offset + item->offset, writable_bytes_of(raw));
}

Status read_file_parameters(const File& file, const Region& region, Metadata& metadata) {
  RawFileParameters raw;
  VDISK_TRY(read_item(file, region, metadata, file_parameters_id, raw));
  const u32 flags = raw.flags.value();
  metadata.block_size = raw.block_size.value();
  metadata.leave_blocks_allocated = (flags & leave_blocks_allocated_flag) != 0;
  metadata.has_parent = (flags & has_parent_flag) != 0;
  const u64 place = region.offset + metadata.find(file_parameters_id)->offset;
  if ((flags & ~(leave_blocks_allocated_flag | has_parent_flag)) != 0) {
    return broken(33, Errc::corrupt, place,
                  fmt::format("file parameters at {:#x}: flags {:#x}, expected only bits 0 and 1",
                              place, flags));
  }
  return validate_block_size(metadata.block_size, place);
}

Status read_values(const File& file, const Region& region, Metadata& metadata) {
  VDISK_TRY(read_file_parameters(file, region, metadata));
  little_uint64_buf_t size;
  VDISK_TRY(read_item(file, region, metadata, virtual_disk_size_id, size));
  metadata.virtual_disk_size = size.value();
  metadata.size_item_file_offset = region.offset + metadata.find(virtual_disk_size_id)->offset;
  little_uint32_buf_t sector;
  VDISK_TRY(read_item(file, region, metadata, logical_sector_size_id, sector));
  metadata.logical_sector_size = sector.value();
  VDISK_TRY(read_item(file, region, metadata, physical_sector_size_id, sector));
  metadata.physical_sector_size = sector.value();
  RawGuid id;
  VDISK_TRY(read_item(file, region, metadata, virtual_disk_id_id, id));
  metadata.virtual_disk_id = decode(id);
  VDISK_TRY(validate_sector_sizes(metadata, region.offset));
  return validate_virtual_size(metadata);
}

Status read_locator(const File& file, const Region& region, Metadata& metadata) {
  const MetadataItem* item = metadata.find(parent_locator_id);
  if (!metadata.has_parent) {
    if (item != nullptr) {
      metadata.warnings.push_back(
          {rule_name(45), fmt::format("metadata table at {:#x}: parent locator without the "
                                      "HasParent flag is ignored",
                                      region.offset)});
    }
    return {};
  }
  if (item == nullptr) {
    return broken(45, Errc::corrupt, region.offset,
                  fmt::format("metadata table at {:#x}: HasParent without a parent locator, "
                              "expected one",
                              region.offset));
  }
  std::vector<std::byte> bytes(item->length);  // at most max_item_length (X28)
  VDISK_TRY(file.read_at(region.offset + item->offset, bytes));
  VDISK_ASSIGN(metadata.locator, decode_parent_locator(bytes, region.offset + item->offset));
  return {};
}

u32 item_flags(const MetadataItem& item) {
  return (item.is_user ? is_user_flag : 0) | (item.is_virtual_disk ? is_virtual_disk_flag : 0) |
         (item.is_required ? is_required_flag : 0);
}

/// Packs items behind the table, one after the other.
class ItemPacker {
 public:
  void add(const Guid& id, bool is_virtual_disk, std::span<const std::byte> content) {
    items_.push_back({.id = id,
                      .is_virtual_disk = is_virtual_disk,
                      .is_required = true,
                      .offset = static_cast<u32>(metadata_table_size + content_.size()),
                      .length = static_cast<u32>(content.size())});
    content_.insert(content_.end(), content.begin(), content.end());
  }
  [[nodiscard]] std::vector<std::byte> finish() const {
    constexpr u64 page_size = 4096;
    auto region = encode_metadata_table(items_);
    region.insert(region.end(), content_.begin(), content_.end());
    region.resize(round_up(region.size(), page_size));
    return region;
  }

 private:
  std::vector<MetadataItem> items_;
  std::vector<std::byte> content_;
};

}  // namespace

const MetadataItem* Metadata::find(const Guid& id) const {
  const auto found = std::ranges::find_if(
      items, [&id](const MetadataItem& item) { return !item.is_user && item.id == id; });
  return found == items.end() ? nullptr : &*found;
}

Result<Metadata> read_metadata(const File& file, const Region& region) {
  Metadata metadata;
  VDISK_ASSIGN(metadata.items, read_table(file, region));
  VDISK_TRY(validate_items(metadata.items, region));
  VDISK_TRY(read_values(file, region, metadata));
  VDISK_TRY(read_locator(file, region, metadata));
  append_flag_warnings(metadata, region);
  return metadata;
}

std::vector<std::byte> encode_metadata_table(std::span<const MetadataItem> items) {
  std::vector<std::byte> table(metadata_table_size);
  RawMetadataTableHeader raw{};
  std::ranges::copy(metadata_signature, raw.signature.begin());
  raw.entry_count = static_cast<u16>(items.size());
  store(table, raw);
  std::size_t place = sizeof raw;
  for (const MetadataItem& item : items) {
    RawMetadataEntry entry{};
    entry.item_id = encode(item.id);
    entry.offset = item.offset;
    entry.length = item.length;
    entry.flags = item_flags(item);
    store(std::span(table).subspan(place), entry);
    place += sizeof entry;
  }
  return table;
}

Result<std::vector<std::byte>> encode_metadata(const Metadata& metadata) {
  RawFileParameters parameters{};
  parameters.block_size = metadata.block_size;
  parameters.flags = (metadata.leave_blocks_allocated ? leave_blocks_allocated_flag : 0) |
                     (metadata.has_parent ? has_parent_flag : 0);
  const little_uint64_buf_t size{metadata.virtual_disk_size};
  const little_uint32_buf_t logical{metadata.logical_sector_size};
  const little_uint32_buf_t physical{metadata.physical_sector_size};
  ItemPacker packer;
  packer.add(file_parameters_id, false, bytes_of(parameters));
  packer.add(virtual_disk_size_id, true, bytes_of(size));
  packer.add(logical_sector_size_id, true, bytes_of(logical));
  packer.add(physical_sector_size_id, true, bytes_of(physical));
  packer.add(virtual_disk_id_id, true, bytes_of(encode(metadata.virtual_disk_id)));
  if (metadata.locator) {
    VDISK_ASSIGN(const auto locator, encode(*metadata.locator));
    packer.add(parent_locator_id, false, locator);
  }
  return packer.finish();
}

}  // namespace vdisk::vhdx
