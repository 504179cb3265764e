// What is sound is kept, what is damaged is believed as far as it makes sense, what is missing is
// looked for; only then something is assumed, and told.
#include "formats/vhdx/rebuild.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/try.h"
#include "formats/vhdx/ids.h"
#include "formats/vhdx/layout.h"
#include "formats/vhdx/metadata_rules.h"
#include "formats/vhdx/repair.h"
#include "formats/vhdx/replay.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/survey.h"
#include "formats/vhdx/table_search.h"

namespace vdisk::vhdx {

namespace {

/// The fields of a slot whose signature is right, whatever its checksum says.
std::optional<Header> decode_torn_header(std::span<const std::byte> slot) {
  auto raw = load<RawHeader>(slot);
  raw.checksum = crc32c_without_field(bytes_of(raw), offsetof(RawHeader, checksum));
  return decode_header(bytes_of(raw));
}

/// A path that leads nowhere: what the image does not hold itself is lost, not zero.
ParentLocator unknown_parent() {
  ParentLocator locator;
  locator.set(parent_linkage_key, format_linkage({}));
  locator.set(relative_path_key, ".\\unknown");
  return locator;
}

class Rebuild {
 public:
  Rebuild(File& view, const RebuildHints& hints) : view_(view), hints_(hints) {}

  Result<Rebuilt> run() {
    VDISK_ASSIGN(result_.data_end, view_.size());
    if (result_.data_end < header_section_size) {
      VDISK_TRY(read_layout(view_, {}));
      return std::move(result_);
    }
    VDISK_TRY(view_.resize(std::max(result_.data_end, largest_file_size)));
    VDISK_TRY(view_.write_at(file_identifier_offset, as_bytes(file_identifier_signature)));
    VDISK_TRY(rebuild_headers());
    VDISK_TRY(repair_what_is_redundant());
    const bool hinted = hints_.virtual_size || hints_.block_size;
    if (hinted || !read_layout(view_, {})) {
      VDISK_TRY(rebuild_tables());
      VDISK_TRY(settle_log());
    }
    VDISK_TRY(read_layout(view_, {}));
    return std::move(result_);
  }

 private:
  void assume(int rule, u64 offset, std::string message) {
    result_.assumptions.push_back({rule_name(rule), std::move(message), offset});
  }

  Result<bool> has_usable_headers() const {
    VDISK_ASSIGN(const Survey survey, survey_headers(view_));
    return survey.headers_known && survey.log_usable && !survey.layout.headers.ambiguous;
  }

  /// The only valid one from now on.
  Status write_header(Header header) {
    header.sequence_number = 1;
    VDISK_TRY(view_.write_at(header_slot_offsets[0], encode(header)));
    return view_.zero_at(header_slot_offsets[1], header_size);
  }

  /// Of damaged headers the first one that names a log which could be one; else one without a log.
  Status rebuild_headers() {
    VDISK_ASSIGN(bool usable, has_usable_headers());
    if (usable) return {};
    std::vector<std::byte> slots(std::size_t{2} * header_size);
    for (std::size_t n = 0; n < 2; ++n) {
      const auto slot = std::span(slots).subspan(n * header_size, header_size);
      VDISK_TRY(view_.read_at(header_slot_offsets[n], slot));
    }
    for (std::size_t n = 0; n < 2; ++n) {
      const auto torn = decode_torn_header(std::span(slots).subspan(n * header_size, header_size));
      if (!torn || torn->version != format_version) continue;
      VDISK_TRY(write_header(*torn));
      VDISK_ASSIGN(usable, has_usable_headers());
      if (!usable) continue;
      assume(3, header_slot_offsets[n],
             fmt::format("headers: none counts, the one at {:#x} is believed",
                         header_slot_offsets[n]));
      return {};
    }
    assume(3, header_slot_offsets[0],
           "headers: none can be believed; a log, if there is one, is not replayed");
    return write_header({});
  }

  Status repair_what_is_redundant() {
    RepairReport report;
    VDISK_TRY(repair_structures(view_, report));
    for (const RepairAction& action : report.actions) {
      if (action.id != rule_name(11)) continue;
      assume(11, action.offset, "the log cannot be replayed; what it holds is missing");
    }
    return {};
  }

  Status rebuild_tables() {
    VDISK_ASSIGN(Survey survey, survey_headers(view_));
    VDISK_TRY(survey_tables(view_, survey));
    Region metadata = survey.layout.regions.metadata;
    Region bat = survey.layout.regions.bat;
    if (metadata.length == 0) VDISK_TRY(look_for_metadata(metadata));
    VDISK_ASSIGN(Metadata values, read_values(metadata));
    if (bat.length == 0) VDISK_TRY(look_for_bat(values, metadata, bat));
    VDISK_TRY(settle_size(values, bat));
    VDISK_TRY(write_metadata(std::move(values), metadata));
    bat.required = metadata.required = true;
    const auto table = encode_region_table(std::array{bat, metadata});
    VDISK_TRY(view_.write_at(region_table_offsets[0], table));
    return view_.write_at(region_table_offsets[1], table);
  }

  Status look_for_metadata(Region& region) {
    VDISK_ASSIGN(const auto found, find_metadata(view_, {header_section_size, result_.data_end}));
    // Without a signature the table is looked for where Windows and others put it.
    constexpr u64 usual_place = 2 * mib;
    region = {.id = metadata_region_id,
              .offset = found.value_or(usual_place),
              .length = static_cast<u32>(region_alignment)};
    assume(23, region.offset,
           fmt::format("region tables: lost, the metadata are taken from {:#x}", region.offset));
    return {};
  }

  Status look_for_bat(const Metadata& values, const Region& metadata, Region& region) {
    const u64 wanted = values.virtual_disk_size == 0 ? values.block_size : u64{0};
    Metadata shape = values;
    if (wanted != 0) shape.virtual_disk_size = wanted;
    const u64 begin = metadata.offset + metadata.length;
    VDISK_ASSIGN(auto found, find_bat(view_, shape, {begin, result_.data_end}));
    if (!found) {
      VDISK_ASSIGN(found, find_bat(view_, shape, {header_section_size, metadata.offset}));
    }
    if (!found) {
      return broken(23, Errc::corrupt, region_table_offsets[0],
                    "region tables: lost, and no MiB of the file looks like a BAT, expected one");
    }
    const u64 length = bat_layout_of(shape).byte_length();
    region = {.id = bat_region_id,
              .offset = *found,
              .length = static_cast<u32>(round_up(length, region_alignment))};
    assume(23, *found, fmt::format("region tables: lost, the BAT is taken from {:#x}", *found));
    return {};
  }

  /// What the items say; where their table is lost, from the places where Windows puts them.
  Result<Metadata> read_values(const Region& region) {
    Objections objections(Objections::Mode::collect);
    VDISK_ASSIGN(Metadata values, read_metadata(view_, region, objections));
    if (values.items.empty()) {
      VDISK_ASSIGN(const auto usual, encode_metadata({}));
      VDISK_TRY(view_.write_at(region.offset, std::span(usual).first(metadata_table_size)));
      VDISK_ASSIGN(values, read_metadata(view_, region, objections));
      assume(26, region.offset,
             fmt::format("metadata table at {:#x}: lost, the items are taken from the places where "
                         "Windows puts them",
                         region.offset));
    }
    if (hints_.block_size) values.block_size = *hints_.block_size;
    if (!is_sector_size(values.logical_sector_size)) values.logical_sector_size = sector_512;
    if (!is_sector_size(values.physical_sector_size)) values.physical_sector_size = sector_512;
    VDISK_TRY(validate_block_size(values.block_size, region.offset));
    values.virtual_disk_size = hints_.virtual_size.value_or(values.virtual_disk_size);
    if (!validate_virtual_size(values)) values.virtual_disk_size = 0;
    return values;
  }

  Status settle_size(Metadata& values, const Region& bat) {
    if (values.virtual_disk_size != 0) return {};
    VDISK_ASSIGN(values.virtual_disk_size, size_of_stored(view_, values, bat));
    assume(35, bat.offset,
           fmt::format("virtual disk size: lost, {} bytes are assumed, up to the last stored block",
                       values.virtual_disk_size));
    return validate_virtual_size(values);
  }

  Status write_metadata(Metadata values, const Region& region) {
    if (values.has_parent && !values.locator) {
      values.locator = unknown_parent();
      assume(45, region.offset, "parent locator: lost, nothing is known about the parent");
    }
    VDISK_ASSIGN(const auto bytes, encode_metadata(values));
    return view_.write_at(region.offset, bytes);
  }

  /// Now that the rest is in order the log may be replayable.
  Status settle_log() {
    VDISK_ASSIGN(const HeaderPair headers, read_headers(view_));
    if (headers.current.log_guid.is_zero()) return {};
    const auto recovered = recover(view_);
    if (recovered) return {};
    if (is_failure_to_read(recovered.error())) return recovered;
    assume(11, headers.current.log_offset, "the log cannot be replayed; what it holds is missing");
    Header cleared = headers.current;
    cleared.log_guid = {};
    return write_header(cleared);
  }

  static constexpr u32 sector_512 = 512;

  File& view_;
  const RebuildHints& hints_;
  Rebuilt result_;
};

}  // namespace

Result<Rebuilt> rebuild(File& view, const RebuildHints& hints) {
  return Rebuild(view, hints).run();
}

}  // namespace vdisk::vhdx
