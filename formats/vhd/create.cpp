/// New, empty images: footer copy, header, BAT, locators, end footer; few and large writes.
#include "formats/vhd/create.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "formats/vhd/block_scan.h"
#include "formats/vhd/dynamic_header.h"
#include "formats/vhd/footer.h"
#include "formats/vhd/footer_writer.h"
#include "formats/vhd/parent_locators.h"
#include "formats/vhd/timestamp.h"
#include "formats/vhd/vhd.h"

namespace vdisk::vhd {

namespace {

constexpr u32 default_block_size = 2 * mib;
constexpr u32 small_block_size = 512 * kib;
constexpr u64 header_offset = footer_size;
constexpr u64 table_offset = header_offset + dynamic_header_size;
constexpr std::size_t largest_write = mib;

// Windows 10: every reader takes CurrentSize as the size (docs/decisions/0003-vhd-creator.md).
constexpr std::array<char, 4> creator_application{'w', 'i', 'n', ' '};
constexpr u32 creator_version = 0x000A0000;
constexpr std::array<char, 4> creator_host_os{'W', 'i', '2', 'k'};

DiskType disk_type(ImageType type) {
  switch (type) {
    case ImageType::fixed: return DiskType::fixed;
    case ImageType::dynamic: return DiskType::dynamic;
    case ImageType::differencing: break;
  }
  return DiskType::differencing;
}

Footer new_footer(const CreateSpec& spec) {
  Footer footer;
  footer.data_offset = spec.type == ImageType::fixed ? no_offset : header_offset;
  footer.time_stamp = to_time_stamp(spec.created);
  footer.creator_application = creator_application;
  footer.creator_version = creator_version;
  footer.creator_host_os = creator_host_os;
  footer.original_size = spec.virtual_size;
  set_current_size(footer, spec.virtual_size);
  footer.disk_type = static_cast<u32>(disk_type(spec.type));
  footer.unique_id = spec.id.value_or(Guid{});
  return footer;
}

std::vector<ParentPath> parent_paths(const ParentSpec& parent) {
  std::vector<ParentPath> paths;
  if (!parent.relative_path.empty()) paths.push_back({"W2ru", parent.relative_path});
  if (!parent.absolute_win32_path.empty()) paths.push_back({"W2ku", parent.absolute_win32_path});
  if (paths.empty()) paths.push_back({"W2ru", ".\\" + parent.file_name});
  return paths;
}

/// Bytes in file order, written in large pieces.
class SequentialWriter {
 public:
  explicit SequentialWriter(File& file) : file_(file) {}
  Status append(std::span<const std::byte> data) {
    buffer_.insert(buffer_.end(), data.begin(), data.end());
    return buffer_.size() >= largest_write ? write_out() : Status();
  }
  Status append_filled(u64 length, std::byte value) {
    while (length > 0) {
      const u64 size = std::min<u64>(length, largest_write - buffer_.size());
      buffer_.insert(buffer_.end(), size, value);
      length -= size;
      if (buffer_.size() >= largest_write) VDISK_TRY(write_out());
    }
    return {};
  }
  Status write_out() {
    if (buffer_.empty()) return {};
    VDISK_TRY(file_.write_at(offset_, buffer_));
    offset_ += buffer_.size();
    buffer_.clear();
    return {};
  }
  [[nodiscard]] u64 position() const { return offset_ + buffer_.size(); }

 private:
  File& file_;
  u64 offset_ = 0;
  std::vector<std::byte> buffer_;
};

Status create_fixed(File& file, const CreateSpec& spec) {
  VDISK_TRY(file.resize(spec.virtual_size + footer_size));
  return write_footer(file, spec.virtual_size, new_footer(spec));
}

Status add_parent(DynamicHeader& header, const ParentSpec& parent,
                  std::vector<std::byte>& locator_content) {
  header.parent_unique_id = parent.content_id;
  header.parent_time_stamp = to_time_stamp(parent.modified_time);
  VDISK_TRY(set_parent_name(header, parent.file_name));
  VDISK_ASSIGN(const auto locators, encode_locators(parent_paths(parent)));
  const u64 areas = table_offset + table_bytes(header.max_table_entries);
  locator_content = place_locators(header, locators, areas);
  return {};
}

Status create_sparse(File& file, const CreateSpec& spec) {
  const RawFooter footer = encode_footer(new_footer(spec));
  DynamicHeader header;
  header.table_offset = table_offset;
  header.block_size = spec.block_size.value_or(default_block_size);
  header.max_table_entries = static_cast<u32>(divide_up(spec.virtual_size, header.block_size));
  std::vector<std::byte> locators;
  if (spec.parent) VDISK_TRY(add_parent(header, *spec.parent, locators));
  const RawDynamicHeader raw_header = encode_dynamic_header(header);
  SequentialWriter writer(file);
  VDISK_TRY(writer.append(bytes_of(footer)));
  VDISK_TRY(writer.append(bytes_of(raw_header)));
  VDISK_TRY(writer.append_filled(table_bytes(header.max_table_entries), std::byte{0xFF}));
  VDISK_TRY(writer.append(locators));
  const BlockShape shape{bitmap_bytes(header.block_size), header.block_size};
  const u64 end = aligned_place(writer.position(), shape);
  VDISK_TRY(writer.append_filled(end - writer.position(), std::byte{}));
  VDISK_TRY(writer.append(bytes_of(footer)));
  return writer.write_out();
}

Status refuse(const std::string& what) {
  return fail(Errc::invalid_argument, what);
}

Status check_sector_size(std::optional<u32> value, std::string_view what) {
  if (!value || *value == sector_size) return {};
  return refuse(
      fmt::format("{} sector size {} bytes, expected 512 (VHD knows no other)", what, *value));
}

Status complete_block_size(CreateSpec& spec) {
  if (spec.type == ImageType::fixed) {
    if (!spec.block_size || *spec.block_size == 0) return {};
    return refuse(
        fmt::format("block size {} bytes of a fixed image, expected none", *spec.block_size));
  }
  if (!spec.block_size) spec.block_size = default_block_size;
  if (*spec.block_size == default_block_size || *spec.block_size == small_block_size) return {};
  return refuse(fmt::format("block size {} bytes, expected 524288 or 2097152", *spec.block_size));
}

Status check_parent(const CreateSpec& spec) {
  if ((spec.type == ImageType::differencing) != spec.parent.has_value()) {
    return refuse("a differencing image needs a parent, and only such an image has one");
  }
  if (!spec.parent) return {};
  if (spec.parent->format != format.name) {
    return refuse(fmt::format("parent of format {}, expected vhd", spec.parent->format));
  }
  if (spec.parent->geometry.virtual_size > spec.virtual_size) {
    return refuse(fmt::format("size {} bytes, expected at least the {} bytes of the parent",
                              spec.virtual_size, spec.parent->geometry.virtual_size));
  }
  if (spec.parent->content_id.is_zero()) return refuse("parent: unique id is zero (V13)");
  return {};
}

}  // namespace

Status complete_spec(CreateSpec& spec) {
  if (spec.virtual_size == 0 || !is_aligned(spec.virtual_size, sector_size) ||
      spec.virtual_size > max_virtual_size) {
    return refuse(fmt::format("size {} bytes, expected a multiple of 512 from 512 to 2040 GiB",
                              spec.virtual_size));
  }
  VDISK_TRY(check_sector_size(spec.logical_sector_size, "logical"));
  VDISK_TRY(check_sector_size(spec.physical_sector_size, "physical"));
  VDISK_TRY(complete_block_size(spec));
  VDISK_TRY(check_parent(spec));
  spec.logical_sector_size = static_cast<u32>(sector_size);
  spec.physical_sector_size = static_cast<u32>(sector_size);
  if (!spec.id) spec.id = random_guid();
  return {};
}

Status create_image(File& file, const CreateSpec& spec) {
  return spec.type == ImageType::fixed ? create_fixed(file, spec) : create_sparse(file, spec);
}

}  // namespace vdisk::vhd
