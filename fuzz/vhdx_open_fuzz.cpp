// Fuzz target: a VHDX of any content is opened, its log replayed, walked, written, opened again.
#include <algorithm>
#include <array>
#include <vector>

#include "base/bytes.h"
#include "base/checksum.h"
#include "formats/vhdx/structures.h"
#include "formats/vhdx/vhdx.h"
#include "fuzz/image_walk.h"
#include "fuzz/sparse_input.h"

namespace vdisk::vhdx {
namespace {

/// Every checksummed structure of VHDX has its checksum behind a four-byte signature.
constexpr std::size_t checksum_field = 4;
/// A log is looked through only so far: enough for every seed, and it keeps the target fast.
constexpr u64 longest_log = 256 * u64{log_sector_size};

void store_checksum(std::span<std::byte> structure) {
  const boost::endian::little_uint32_buf_t sum(crc32c_without_field(structure, checksum_field));
  store(structure.subspan(checksum_field), sum);
}

template <std::size_t Size>
std::vector<std::byte> repair(File& file, u64 offset) {
  std::vector<std::byte> bytes(Size);
  if (!file.read_at(offset, bytes)) return bytes;
  store_checksum(bytes);
  (void)file.write_at(offset, bytes);
  return bytes;
}

/// The ring of a log, with an entry that may wrap around its end.
class Ring {
 public:
  explicit Ring(std::span<std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::vector<std::byte> read(u64 offset, u64 length) const {
    std::vector<std::byte> out(length);
    for (u64 done = 0; done < length; done += log_sector_size) {
      const auto sector = bytes_.subspan((offset + done) % bytes_.size(), log_sector_size);
      std::copy(sector.begin(), sector.end(), out.begin() + static_cast<std::ptrdiff_t>(done));
    }
    return out;
  }
  void repair_entry(u64 offset) {
    const auto header = load<RawLogEntryHeader>(bytes_.subspan(offset, log_sector_size));
    const u64 length = header.entry_length.value();
    if (!equals_text(header.signature, log_entry_signature) || length == 0 ||
        length > bytes_.size() || !is_aligned(length, log_sector_size)) {
      return;
    }
    auto entry = read(offset, length);
    store_checksum(entry);
    std::copy_n(entry.begin(), sizeof(RawLogEntryHeader),
                bytes_.subspan(offset, sizeof(RawLogEntryHeader)).begin());
  }

 private:
  std::span<std::byte> bytes_;
};

void repair_log(File& file, const RawHeader& header) {
  const u64 length = header.log_length.value();
  const u64 offset = header.log_offset.value();
  const u64 size = file.size().value_or(0);
  if (length == 0 || length > longest_log || !is_aligned(length, log_sector_size) ||
      !lies_within(offset, length, header_section_size, size)) {
    return;
  }
  std::vector<std::byte> bytes(length);
  if (!file.read_at(offset, bytes)) return;
  Ring ring(bytes);
  for (u64 sector = 0; sector < length; sector += log_sector_size) ring.repair_entry(sector);
  (void)file.write_at(offset, bytes);
}

void repair_checksums(File& file) {
  for (const u64 offset : region_table_offsets) repair<region_table_size>(file, offset);
  for (const u64 offset : header_slot_offsets) {
    repair_log(file, load<RawHeader>(repair<header_size>(file, offset)));
  }
}

}  // namespace
}  // namespace vdisk::vhdx

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto input = vdisk::fuzz::decode(std::as_bytes(std::span(data, size)));
  if (input.repair_checksums) vdisk::vhdx::repair_checksums(*input.file);
  vdisk::fuzz::walk(vdisk::vhdx::format, input);
  return 0;
}
