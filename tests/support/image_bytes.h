/// The bytes of an image file, for tests that look behind the interface or change them by hand.
/// Numbers and places are those of the specifications, written out; no code of formats/ is used.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "vdisk/file.h"

namespace vdisk::test {

using Page = std::array<std::byte, 4096>;

class ImageBytes {
 public:
  /// Opens the file for changing, without a lock. Throws when it is not there.
  ImageBytes(FileSystem& files, const std::filesystem::path& path);

  [[nodiscard]] u64 size() const;
  void resize(u64 size);
  [[nodiscard]] std::vector<std::byte> read(u64 offset, u64 length) const;
  [[nodiscard]] std::vector<std::byte> all() const { return read(0, size()); }
  [[nodiscard]] Page page(u64 offset) const;
  void write(u64 offset, std::span<const std::byte> data);

  [[nodiscard]] u32 big32(u64 offset) const;
  [[nodiscard]] u64 big64(u64 offset) const;
  void set_big32(u64 offset, u32 value);
  void set_big64(u64 offset, u64 value);
  [[nodiscard]] u16 little16(u64 offset) const;
  [[nodiscard]] u32 little32(u64 offset) const;
  [[nodiscard]] u64 little64(u64 offset) const;
  void set_little16(u64 offset, u16 value);
  void set_little32(u64 offset, u32 value);
  void set_little64(u64 offset, u64 value);

  // VHD.
  /// Where the footer is: the last 512 bytes.
  [[nodiscard]] u64 footer() const { return size() - 512; }
  /// Makes the checksum right and, in a dynamic image, the copy at offset 0 equal.
  void seal_footer();

  // VHDX.
  static constexpr std::array<u64, 2> headers{64 * kib, 128 * kib};
  static constexpr std::array<u64, 2> region_tables{192 * kib, 256 * kib};
  void seal_header(u64 offset);
  void seal_region_table(u64 offset);
  [[nodiscard]] u64 bat() const;
  [[nodiscard]] u64 metadata() const;
  [[nodiscard]] u64 log() const { return little64(headers[0] + 72); }
  [[nodiscard]] u32 log_length() const { return little32(headers[0] + 68); }
  /// Gives both headers this log identity.
  void set_log_guid(const std::array<u8, 16>& guid);

 private:
  [[nodiscard]] u64 number(u64 offset, int length, bool big) const;
  void set_number(u64 offset, int length, bool big, u64 value);
  [[nodiscard]] u64 region(u8 first_byte) const;

  std::shared_ptr<File> file_;
};

/// One entry of a VHDX log with data descriptors for pages and zero descriptors for ranges.
struct LogEntry {
  struct Data {
    u64 file_offset;
    Page page;
  };
  struct Zero {
    u64 file_offset;
    u64 length;
  };
  u64 sequence = 1;
  u32 tail = 0;
  u64 file_size = 0;
  std::vector<Data> data = {};
  std::vector<Zero> zeros = {};

  [[nodiscard]] std::vector<std::byte> encode(const std::array<u8, 16>& log_guid) const;
};

}  // namespace vdisk::test
