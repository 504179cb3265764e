#include "formats/vhdx/dump_metadata.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/metadata.h"
#include "formats/vhdx/structure_builder.h"

namespace vdisk::vhdx {

namespace {

struct ItemName {
  Guid id;
  std::string_view name;
};
constexpr ItemName item_names[]{
    {file_parameters_id, "file parameters"},
    {virtual_disk_size_id, "virtual disk size"},
    {virtual_disk_id_id, "virtual disk id"},
    {logical_sector_size_id, "logical sector size"},
    {physical_sector_size_id, "physical sector size"},
    {parent_locator_id, "parent locator"},
    {chs_parameters_id, "CHS parameters"},
    {incomplete_file_id, "incomplete file"},
    {pmem_label_area_id, "PMEM label area"},
};

std::string_view name_of(const Guid& id) {
  for (const ItemName& item : item_names) {
    if (item.id == id) return item.name;
  }
  return "unknown item";
}

Status dump_entry(const RawMetadataEntry& raw, u64 place, const StructureSink& sink) {
  return StructureBuilder("metadata table entry", {place, sizeof raw})
      .guid("item_id", 0, raw.item_id)
      .text("item", {0, sizeof raw.item_id}, std::string(name_of(decode(raw.item_id))))
      .hex("offset", offsetof(RawMetadataEntry, offset), raw.offset)
      .number("length", offsetof(RawMetadataEntry, length), raw.length)
      .hex("flags", offsetof(RawMetadataEntry, flags), raw.flags)
      .send(sink);
}

Status dump_table(const File& file, const Region& region, const StructureSink& sink) {
  std::vector<std::byte> table(metadata_table_size);
  VDISK_TRY(file.read_at(region.offset, table));
  const auto raw = load<RawMetadataTableHeader>(table);
  VDISK_TRY(
      StructureBuilder("metadata table", {region.offset, metadata_table_size})
          .text("signature", {0, raw.signature.size()},
                StructureBuilder::signature_text(raw.signature))
          .number("entry_count", offsetof(RawMetadataTableHeader, entry_count), raw.entry_count)
          .send(sink));
  const u32 count = std::min<u32>(raw.entry_count.value(), max_metadata_entries);
  for (u32 index = 0; index < count; ++index) {
    const u64 entry = sizeof raw + u64{index} * sizeof(RawMetadataEntry);
    VDISK_TRY(dump_entry(load<RawMetadataEntry>(std::span(table).subspan(entry)),
                         region.offset + entry, sink));
  }
  return {};
}

Status dump_locator(const Metadata& metadata, const Region& region, const StructureSink& sink) {
  const MetadataItem* item = metadata.find(parent_locator_id);
  if (!metadata.locator || item == nullptr) return {};
  StructureBuilder builder("parent locator", {region.offset + item->offset, item->length});
  for (const LocatorEntry& entry : metadata.locator->entries) {
    builder.text(entry.key, {0, item->length}, entry.value);
  }
  return builder.send(sink);
}

Status dump_values(const Metadata& metadata, const Region& region, const StructureSink& sink) {
  for (const MetadataItem& item : metadata.items) {
    if (item.is_user) continue;
    StructureBuilder builder(std::string(name_of(item.id)),
                             {region.offset + item.offset, item.length});
    const StructureBuilder::Place whole{0, item.length};
    if (item.id == file_parameters_id) {
      builder.text("block_size", {0, 4}, std::to_string(metadata.block_size));
      builder.text("leave_blocks_allocated", {4, 4}, metadata.leave_blocks_allocated ? "1" : "0");
      builder.text("has_parent", {4, 4}, metadata.has_parent ? "1" : "0");
    } else if (item.id == virtual_disk_size_id) {
      builder.text("virtual_disk_size", whole, std::to_string(metadata.virtual_disk_size));
    } else if (item.id == virtual_disk_id_id) {
      builder.text("virtual_disk_id", whole, to_string(metadata.virtual_disk_id));
    } else if (item.id == logical_sector_size_id) {
      builder.text("logical_sector_size", whole, std::to_string(metadata.logical_sector_size));
    } else if (item.id == physical_sector_size_id) {
      builder.text("physical_sector_size", whole, std::to_string(metadata.physical_sector_size));
    } else {
      continue;
    }
    VDISK_TRY(builder.send(sink));
  }
  return dump_locator(metadata, region, sink);
}

}  // namespace

Status dump_metadata(const File& file, const Region& region, const StructureSink& sink) {
  VDISK_TRY(dump_table(file, region, sink));
  const auto metadata = read_metadata(file, region);
  return metadata ? dump_values(*metadata, region, sink) : Status();
}

}  // namespace vdisk::vhdx
