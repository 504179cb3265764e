/// What is sound is kept, what is damaged is believed as far as it makes sense, what is missing is
/// looked for; only then something is assumed, and told.
#include "formats/vhd/rebuild.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/block_guess.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/layout.h"

namespace vdisk::vhd {

namespace {

/// Headers are looked for up to here; every known writer puts them at 512.
constexpr u64 search_length = mib;
/// Behind every block that a BAT can name.
constexpr u64 farthest_end =
    u64{highest_block_sector} * sector_size + 2 * u64{max_block_size} + sector_size;

/// A footer in which one bit may be wrong, but nothing that matters.
bool is_believable(const FooterCopy& copy) {
  if (copy.state != FooterState::valid && copy.state != FooterState::bad_checksum) return false;
  Verdict verdict;
  validate_footer(copy.footer, {copy.offset, farthest_end}, verdict);
  return verdict.rejection() == nullptr;
}

class Rebuild {
 public:
  Rebuild(File& view, const RebuildHints& hints) : view_(view), hints_(hints) {}

  Result<Rebuilt> run() {
    VDISK_ASSIGN(const u64 size, view_.size());
    result_.data_end = size;
    VDISK_ASSIGN(const Survey found, survey(view_, VhdSize::current));
    if (found.verdict.rejection() == nullptr) {
      take(found.layout);
    } else {
      VDISK_TRY(find_structures(size, *found.verdict.rejection()));
    }
    if (hints_.virtual_size) set_current_size(footer_, *hints_.virtual_size);
    VDISK_TRY(footer_.is(DiskType::fixed) ? write_fixed() : write_sparse());
    return std::move(result_);
  }

 private:
  void assume(std::string id, u64 offset, std::string message) {
    result_.assumptions.push_back({std::move(id), std::move(message), offset});
  }

  void take(const Layout& layout) {
    footer_ = layout.footer;
    header_ = layout.header;
    end_footer_at(layout.stranded_footer_offset.value_or(layout.footer_offset));
  }

  /// What a footer covers is not the guest's.
  void end_footer_at(u64 offset) { result_.data_end = std::min(result_.data_end, offset); }

  Status find_structures(u64 size, const Error& rejection) {
    VDISK_ASSIGN(const FooterPair pair, read_footers(view_));
    if (pair.end.state != FooterState::missing) end_footer_at(pair.end.offset);
    const bool footer_known = choose_footer(pair);
    if (footer_known && footer_.is(DiskType::fixed)) return {};
    VDISK_ASSIGN(const bool header_found, find_header(footer_known));
    if (header_found) return footer_known ? Status() : Status(make_footer());
    if (!footer_known) return assume_fixed(size);
    return assume_header(rejection);
  }

  bool choose_footer(const FooterPair& pair) {
    for (const FooterCopy* copy : {&pair.end, &pair.head}) {
      if (!is_believable(*copy)) continue;
      footer_ = copy->footer;
      if (!copy->valid()) {
        assume(
            "V3", copy->offset,
            fmt::format("footer at {:#x}: wrong checksum, its fields are believed", copy->offset));
      }
      return true;
    }
    return false;
  }

  /// At the place that the footer names, else wherever a sound one is found.
  Result<bool> find_header(bool footer_known) {
    if (footer_known) {
      VDISK_ASSIGN(const bool found, try_header(footer_.data_offset, false));
      if (found) return true;
    }
    for (u64 offset = 0; offset < search_length; offset += sector_size) {
      VDISK_ASSIGN(const bool found, try_header(offset, true));
      if (!found) continue;
      footer_.data_offset = offset;
      return true;
    }
    return false;
  }

  Result<bool> try_header(u64 offset, bool only_sound) {
    if (!lies_within(offset, dynamic_header_size, 0, result_.data_end)) return false;
    std::array<std::byte, dynamic_header_size> bytes{};
    VDISK_TRY(view_.read_at(offset, bytes));
    const auto sound = decode_dynamic_header(bytes, offset);
    const bool readable = sound || sound.error().code == Errc::header_checksum;
    if (!readable || (!sound && only_sound)) return false;
    const DynamicHeader header = decode_header_fields(bytes);
    Verdict verdict;
    validate_dynamic_header(header, {offset, farthest_end, 0}, verdict);
    if (verdict.rejection() != nullptr) return false;
    if (!sound) {
      assume(
          "V18", offset,
          fmt::format("dynamic header at {:#x}: wrong checksum, its fields are believed", offset));
    }
    header_ = header;
    return true;
  }

  /// No footer is left, but a sound header.
  Status make_footer() {
    const bool child = !header_.parent_unique_id.is_zero();
    footer_.disk_type = static_cast<u32>(child ? DiskType::differencing : DiskType::dynamic);
    const u64 size = u64{header_.max_table_entries} * header_.block_size;
    set_current_size(footer_, std::min(size, max_virtual_size));
    assume("V2", 0,
           fmt::format("footers: none is left, the disk is taken for {} with {} bytes, as many as "
                       "its BAT has entries for",
                       child ? "differencing" : "dynamic", footer_.current_size));
    return {};
  }

  /// Nothing tells that the file is anything but the bytes of a disk.
  Status assume_fixed(u64 size) {
    footer_.disk_type = static_cast<u32>(DiskType::fixed);
    set_current_size(footer_, std::min(round_down(size, sector_size), max_virtual_size));
    assume("V2", 0,
           "footers, header: none is left, the whole file is taken for the content of a fixed "
           "disk");
    return {};
  }

  /// The BAT is where every known writer puts it; its entries tell the size of the blocks.
  Status assume_header(const Error& rejection) {
    header_ = {};
    header_.table_offset = footer_.data_offset + dynamic_header_size;
    const TableGuess table{header_.table_offset, footer_.current_size, result_.data_end};
    VDISK_ASSIGN(const auto block_size, guess_block_size(view_, table, hints_.block_size));
    if (!block_size) return std::unexpected(rejection);
    header_.block_size = *block_size;
    header_.max_table_entries = static_cast<u32>(divide_up(footer_.current_size, *block_size));
    assume("V17", footer_.data_offset,
           fmt::format("dynamic header at {:#x}: lost, a BAT at {:#x} and blocks of {} bytes are "
                       "assumed",
                       footer_.data_offset, header_.table_offset, *block_size));
    return {};
  }

  /// Bytes behind the end of the file read as zeros in the view, and count as lost.
  Status write_fixed() {
    const u64 end = round_up(footer_.current_size, sector_size);
    footer_.data_offset = no_offset;
    VDISK_TRY(view_.resize(end));
    return write_footer(view_, end, footer_);
  }

  Status write_sparse() {
    const u64 room = u64{header_.max_table_entries} * header_.block_size;
    if (footer_.current_size > room) {
      assume("V23", footer_.data_offset,
             fmt::format("footer: current size {} bytes, the BAT has entries for {}: the rest is "
                         "not known",
                         footer_.current_size, room));
      set_current_size(footer_, room);
    }
    if (footer_.data_offset < footer_size || footer_.data_offset == no_offset) {
      footer_.data_offset = footer_size;
    }
    drop_cut_locators();
    const RawDynamicHeader raw = encode_dynamic_header(header_);
    VDISK_TRY(write_footer(view_, 0, footer_));
    VDISK_TRY(view_.write_at(footer_.data_offset, bytes_of(raw)));
    return write_footer(view_, farthest_end, footer_);
  }

  /// V32: the longer view must not make them look as if they were inside the file.
  void drop_cut_locators() {
    for (ParentLocator& locator : header_.locators) {
      const bool inside =
          lies_within(locator.data_offset, locator.data_length, 0, result_.data_end);
      if (locator.used() && !inside) locator = {};
    }
  }

  File& view_;
  const RebuildHints& hints_;
  Footer footer_;
  DynamicHeader header_;
  Rebuilt result_;
};

}  // namespace

Result<Rebuilt> rebuild_image(File& view, const RebuildHints& hints) {
  return Rebuild(view, hints).run();
}

}  // namespace vdisk::vhd
