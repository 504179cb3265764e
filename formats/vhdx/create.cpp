#include "formats/vhdx/create.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhdx/bat.h"
#include "formats/vhdx/file_identifier.h"
#include "formats/vhdx/header.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/metadata.h"
#include "formats/vhdx/region_table.h"
#include "formats/vhdx/vhdx.h"
#include "vdisk/version.h"

namespace vdisk::vhdx {

namespace {

constexpr u64 log_offset = mib;
constexpr u32 log_length = mib;
constexpr u64 metadata_offset = 2 * mib;
constexpr u32 metadata_length = mib;
constexpr u64 bat_offset = 3 * mib;
/// The BAT of a fixed image is written in pieces of this size.
constexpr u64 bat_piece_size = 8 * mib;

/// Where things go in a new file.
struct Plan {
  BatLayout bat;
  u64 bat_length = 0;
  u64 first_block = 0;
  u64 file_size = 0;
  bool fixed = false;
};

Plan make_plan(const CreateSpec& spec) {
  Plan plan;
  plan.bat = BatLayout({.virtual_size = spec.virtual_size,
                        .block_size = *spec.block_size,
                        .logical_sector_size = *spec.logical_sector_size,
                        .differencing = spec.type == ImageType::differencing});
  plan.bat_length = round_up(plan.bat.byte_length(), region_alignment);
  plan.first_block = bat_offset + plan.bat_length;
  plan.fixed = spec.type == ImageType::fixed;
  plan.file_size =
      plan.first_block + (plan.fixed ? plan.bat.payload_block_count() * *spec.block_size : 0);
  return plan;
}

Status write_headers(File& file) {
  Header header{.sequence_number = 1,
                .file_write_guid = random_guid(),
                .data_write_guid = random_guid(),
                .log_length = log_length,
                .log_offset = log_offset};
  for (const u64 slot : header_slot_offsets) {
    VDISK_TRY(file.write_at(slot, encode(header)));
    ++header.sequence_number;
  }
  return {};
}

Status write_region_tables(File& file, const Plan& plan) {
  const Region regions[]{{bat_region_id, bat_offset, static_cast<u32>(plan.bat_length), true},
                         {metadata_region_id, metadata_offset, metadata_length, true}};
  const auto copy = encode_region_table(regions);
  for (const u64 offset : region_table_offsets) VDISK_TRY(file.write_at(offset, copy));
  return {};
}

Status write_metadata(File& file, const CreateSpec& spec) {
  Metadata metadata{.block_size = *spec.block_size,
                    .leave_blocks_allocated = spec.type == ImageType::fixed,
                    .has_parent = spec.type == ImageType::differencing,
                    .virtual_disk_size = spec.virtual_size,
                    .logical_sector_size = *spec.logical_sector_size,
                    .physical_sector_size = *spec.physical_sector_size,
                    .virtual_disk_id = *spec.id};
  if (spec.parent) metadata.locator = make_parent_locator(*spec.parent);
  VDISK_ASSIGN(const auto region, encode_metadata(metadata));
  return file.write_at(metadata_offset, region);
}

/// Every block fully present, one after the other.
Status write_fixed_bat(File& file, const Plan& plan) {
  std::vector<std::byte> piece;
  u64 written = 0;
  for (u64 index = 0; index < plan.bat.entry_count(); ++index) {
    const u64 block = plan.bat.block_of_index(index);
    const u64 entry =
        plan.bat.is_bitmap_index(index)
            ? 0
            : encode(PayloadState::fully_present, plan.first_block + block * plan.bat.block_size());
    const little_uint64_buf_t raw{entry};
    piece.insert(piece.end(), bytes_of(raw).begin(), bytes_of(raw).end());
    if (piece.size() < bat_piece_size && index + 1 < plan.bat.entry_count()) continue;
    VDISK_TRY(file.write_at(bat_offset + written, piece));
    written += piece.size();
    piece.clear();
  }
  return {};
}

bool is_block_size(u32 size) {
  return size >= min_block_size && size <= max_block_size && std::has_single_bit(size);
}

Status complete_block_size(CreateSpec& spec) {
  const u32 default_size =
      spec.type == ImageType::differencing ? default_child_block_size : default_block_size;
  spec.block_size = spec.block_size.value_or(default_size);
  if (is_block_size(*spec.block_size)) return {};
  return fail(Errc::invalid_argument,
              fmt::format("block size: {} bytes, expected 1, 2, 4, 8, 16, 32, 64, 128 or 256 MiB",
                          *spec.block_size));
}

/// A child has its parent's logical sector size (X51).
Status complete_sector_sizes(CreateSpec& spec) {
  const Geometry fallback = spec.parent
                                ? spec.parent->geometry
                                : Geometry{.logical_sector_size = default_logical_sector_size,
                                           .physical_sector_size = default_physical_sector_size};
  const u32 logical = spec.logical_sector_size.value_or(fallback.logical_sector_size);
  const u32 physical = spec.physical_sector_size.value_or(fallback.physical_sector_size);
  if ((logical != 512 && logical != 4096) || (physical != 512 && physical != 4096) ||
      physical < logical) {
    return fail(Errc::invalid_argument,
                fmt::format("sector sizes: logical {} bytes, physical {} bytes, expected 512/512, "
                            "512/4096 or 4096/4096",
                            logical, physical));
  }
  if (spec.parent && logical != spec.parent->geometry.logical_sector_size) {
    return fail(Errc::invalid_argument,
                fmt::format("logical sector size: {} bytes, expected the parent's {} bytes",
                            logical, spec.parent->geometry.logical_sector_size));
  }
  spec.logical_sector_size = logical;
  spec.physical_sector_size = physical;
  return {};
}

Status validate_virtual_size(const CreateSpec& spec) {
  if (spec.parent && spec.virtual_size < spec.parent->geometry.virtual_size) {
    return fail(Errc::invalid_argument,
                fmt::format("virtual size: {} bytes, expected at least the {} bytes of the parent "
                            "(a child can be shrunk later)",
                            spec.virtual_size, spec.parent->geometry.virtual_size));
  }
  if (spec.virtual_size != 0 && spec.virtual_size <= max_virtual_size &&
      is_aligned(spec.virtual_size, *spec.logical_sector_size)) {
    return {};
  }
  return fail(Errc::invalid_argument,
              fmt::format("virtual size: {} bytes, expected a multiple of {} bytes up to 64 TiB",
                          spec.virtual_size, *spec.logical_sector_size));
}

Status validate_parent(const CreateSpec& spec) {
  if ((spec.type == ImageType::differencing) != spec.parent.has_value()) {
    return fail(Errc::invalid_argument,
                spec.parent ? "parent: given for an image that is not differencing, expected none"
                            : "parent: missing, expected one for a differencing image");
  }
  if (!spec.parent) return {};
  if (spec.parent->format != format_name) {
    return fail(Errc::invalid_argument,
                fmt::format("parent: format {}, expected {}", spec.parent->format, format_name));
  }
  if (spec.parent->relative_path.empty() && spec.parent->absolute_win32_path.empty()) {
    return fail(Errc::invalid_argument,
                "parent: no path, expected a relative or an absolute Windows path");
  }
  VDISK_TRY(encode(make_parent_locator(*spec.parent)));
  return {};
}

/// The disk id is the same in parent and child (FORMATS 2.7.1).
Guid default_id(const CreateSpec& spec) {
  return spec.parent && !spec.parent->disk_id.is_zero() ? spec.parent->disk_id : random_guid();
}

}  // namespace

Status complete(CreateSpec& spec) {
  VDISK_TRY(validate_parent(spec));
  if (spec.virtual_size == 0 && spec.parent) {
    spec.virtual_size = spec.parent->geometry.virtual_size;
  }
  VDISK_TRY(complete_block_size(spec));
  VDISK_TRY(complete_sector_sizes(spec));
  VDISK_TRY(validate_virtual_size(spec));
  if (!spec.id) spec.id = default_id(spec);
  return {};
}

Status create(File& file, const CreateSpec& spec) {
  CreateSpec full = spec;
  VDISK_TRY(complete(full));
  const Plan plan = make_plan(full);
  VDISK_TRY(file.resize(plan.file_size));
  VDISK_TRY(file.write_at(file_identifier_offset,
                          encode_file_identifier(fmt::format("libvdisk {}", version()))));
  VDISK_TRY(write_headers(file));
  VDISK_TRY(write_region_tables(file, plan));
  VDISK_TRY(write_metadata(file, full));
  return plan.fixed ? write_fixed_bat(file, plan) : Status();
}

}  // namespace vdisk::vhdx
