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

/// The error of a rule goes to the objections; anything else ends the reading.
Status raise(Status status, Objections& objections) {
  if (status) return {};
  return objections.raise(std::unexpected(std::move(status).error()));
}

MetadataItem decode_item(const RawMetadataEntry& raw) {
  const u32 flags = raw.flags.value();
  return {.id = decode(raw.item_id),
          .is_user = (flags & is_user_flag) != 0,
          .is_virtual_disk = (flags & is_virtual_disk_flag) != 0,
          .is_required = (flags & is_required_flag) != 0,
          .offset = raw.offset.value(),
          .length = raw.length.value()};
}

/// X29.
Status validate_flags(const RawMetadataEntry& raw, u64 place) {
  const u32 flags = raw.flags.value();
  const bool user_and_required = (flags & is_user_flag) != 0 && (flags & is_required_flag) != 0;
  if ((flags & ~all_item_flags) == 0 && raw.reserved2.value() == 0 && !user_and_required) return {};
  return broken(29, Errc::corrupt, place,
                fmt::format("metadata entry at {:#x}: flags {:#x}, reserved {:#x}, expected known "
                            "flags, not user and required at once",
                            place, flags, raw.reserved2.value()));
}

/// The items; none at all when the table cannot be told from other bytes.
Result<std::optional<std::vector<MetadataItem>>> read_table(const File& file, const Region& region,
                                                            Objections& objections) {
  std::vector<std::byte> table(metadata_table_size);
  VDISK_TRY(file.read_at(region.offset, table));
  const auto raw = load<RawMetadataTableHeader>(table);
  const u32 count = raw.entry_count.value();
  const bool known =
      equals_text(raw.signature, metadata_signature) && count <= max_metadata_entries;
  if (!known || raw.reserved.value() != 0 || !is_zero(raw.reserved2)) {
    VDISK_TRY(objections.raise(
        broken(26, Errc::corrupt, region.offset,
               fmt::format("metadata table at {:#x}: signature, reserved bytes or {} entries "
                           "wrong, expected `metadata` and at most 2047",
                           region.offset, count))));
  }
  if (!known) return std::optional<std::vector<MetadataItem>>{};
  std::vector<MetadataItem> items;
  for (u32 index = 0; index < count; ++index) {
    const u64 place = sizeof raw + u64{index} * sizeof(RawMetadataEntry);
    const auto entry = load<RawMetadataEntry>(std::span(table).subspan(place));
    VDISK_TRY(raise(validate_flags(entry, region.offset + place), objections));
    items.push_back(decode_item(entry));
  }
  return std::optional(std::move(items));
}

/// Reads known items of fixed length and remembers whether all of them were there.
class ItemReader {
 public:
  ItemReader(const File& file, const Region& region, const Metadata& metadata,
             Objections& objections)
      : file_(file), region_(region), metadata_(metadata), objections_(objections) {}

  /// X31. False: the item is not there, or not of this length.
  template <class T>
  Result<bool> read(const Guid& id, T& raw) {
    const MetadataItem* item = metadata_.find(id);
    const bool sound = item != nullptr && item->in_place && item->length == sizeof raw;
    if (sound) {
      VDISK_TRY(file_.read_at(region_.offset + item->offset, writable_bytes_of(raw)));
      return true;
    }
    complete_ = false;
    if (item != nullptr && !item->in_place) return false;  // X28 says so already
    VDISK_TRY(objections_.raise(broken(
        31, Errc::corrupt, region_.offset,
        fmt::format(
            "metadata table at {:#x}: item {} {}, expected {} bytes", region_.offset, to_string(id),
            item == nullptr ? "missing" : fmt::format("of {} bytes", item->length), sizeof raw))));
    return false;
  }
  /// A rule about the value of an item; breaking it makes the metadata incomplete.
  Status check(Status rule) {
    if (!rule) complete_ = false;
    return raise(std::move(rule), objections_);
  }
  [[nodiscard]] u64 place_of(const Guid& id) const {
    const MetadataItem* item = metadata_.find(id);
    return region_.offset + (item == nullptr ? 0 : item->offset);
  }
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  const File& file_;
  const Region& region_;
  const Metadata& metadata_;
  Objections& objections_;
  bool complete_ = true;
};

Status validate_parameter_flags(u32 flags, u64 place) {
  if ((flags & ~(leave_blocks_allocated_flag | has_parent_flag)) == 0) return {};
  return broken(33, Errc::corrupt, place,
                fmt::format("file parameters at {:#x}: flags {:#x}, expected only bits 0 and 1",
                            place, flags));
}

Status read_file_parameters(ItemReader& reader, Metadata& metadata) {
  RawFileParameters raw;
  VDISK_ASSIGN(const bool found, reader.read(file_parameters_id, raw));
  if (!found) return {};
  const u32 flags = raw.flags.value();
  metadata.block_size = raw.block_size.value();
  metadata.leave_blocks_allocated = (flags & leave_blocks_allocated_flag) != 0;
  metadata.has_parent = (flags & has_parent_flag) != 0;
  const u64 place = reader.place_of(file_parameters_id);
  VDISK_TRY(reader.check(validate_parameter_flags(flags, place)));
  return reader.check(validate_block_size(metadata.block_size, place));
}

Result<bool> read_sector_size(ItemReader& reader, const Guid& id, u32& size) {
  little_uint32_buf_t raw;
  VDISK_ASSIGN(const bool found, reader.read(id, raw));
  if (found) size = raw.value();
  return found;
}

Status read_values(const File& file, const Region& region, Metadata& metadata,
                   Objections& objections) {
  ItemReader reader(file, region, metadata, objections);
  VDISK_TRY(read_file_parameters(reader, metadata));
  little_uint64_buf_t size;
  VDISK_ASSIGN(const bool size_found, reader.read(virtual_disk_size_id, size));
  metadata.virtual_disk_size = size_found ? size.value() : 0;
  metadata.size_item_file_offset = reader.place_of(virtual_disk_size_id);
  VDISK_ASSIGN(const bool logical_found,
               read_sector_size(reader, logical_sector_size_id, metadata.logical_sector_size));
  VDISK_ASSIGN(const bool physical_found,
               read_sector_size(reader, physical_sector_size_id, metadata.physical_sector_size));
  RawGuid id{};
  VDISK_ASSIGN(const bool id_found, reader.read(virtual_disk_id_id, id));
  if (id_found) metadata.virtual_disk_id = decode(id);
  if (logical_found && physical_found) {
    VDISK_TRY(reader.check(validate_sector_sizes(metadata, region.offset)));
  }
  if (size_found && is_sector_size(metadata.logical_sector_size)) {
    VDISK_TRY(reader.check(validate_virtual_size(metadata)));
  }
  metadata.shape_known = reader.complete();
  return {};
}

Status read_locator(const File& file, const Region& region, Metadata& metadata,
                    Objections& objections) {
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
    return objections.raise(
        broken(45, Errc::corrupt, region.offset,
               fmt::format("metadata table at {:#x}: HasParent without a parent locator, "
                           "expected one",
                           region.offset)));
  }
  if (!item->in_place) return {};
  std::vector<std::byte> bytes(item->length);  // at most max_item_length (X28)
  VDISK_TRY(file.read_at(region.offset + item->offset, bytes));
  auto locator = decode_parent_locator(bytes, region.offset + item->offset);
  if (!locator) return objections.raise(std::unexpected(std::move(locator).error()));
  metadata.locator = *std::move(locator);
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
  Objections none_allowed;
  return read_metadata(file, region, none_allowed);
}

Result<Metadata> read_metadata(const File& file, const Region& region, Objections& objections) {
  Metadata metadata;
  VDISK_ASSIGN(auto items, read_table(file, region, objections));
  if (!items) return metadata;
  metadata.items = *std::move(items);
  VDISK_TRY(validate_items(metadata.items, region, objections));
  VDISK_TRY(read_values(file, region, metadata, objections));
  VDISK_TRY(read_locator(file, region, metadata, objections));
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
