#include "formats/vhdx/file_identifier.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/try.h"
#include "base/utf16.h"
#include "formats/vhdx/rules.h"
#include "formats/vhdx/structures.h"

namespace vdisk::vhdx {

Result<std::string> read_file_identifier(const File& file) {
  VDISK_ASSIGN(const u64 size, file.size());
  if (size < header_section_size) {
    return broken(
        1, Errc::file_size_invalid, size,
        fmt::format("end of the file at {:#x}: {} bytes, expected at least 1 MiB", size, size));
  }
  RawFileIdentifier raw;
  VDISK_TRY(file.read_at(file_identifier_offset, writable_bytes_of(raw)));
  if (!equals_text(raw.signature, file_identifier_signature)) {
    return broken(2, Errc::corrupt, file_identifier_offset,
                  "file type identifier at 0x0: other bytes, expected `vhdxfile`");
  }
  return decode_utf16_lossy(raw.creator, ByteOrder::little);
}

std::vector<std::byte> encode_file_identifier(std::string_view creator) {
  constexpr std::size_t page_size = 4096;
  std::vector<std::byte> page(page_size);
  std::ranges::copy(as_bytes(file_identifier_signature), page.begin());
  auto text = encode_utf16(creator, ByteOrder::little).value_or(std::vector<std::byte>{});
  constexpr std::size_t longest = sizeof(RawFileIdentifier::creator) - 2;  // keep a terminator
  text.resize(std::min(text.size(), longest));
  std::ranges::copy(text, page.begin() + offsetof(RawFileIdentifier, creator));
  return page;
}

}  // namespace vdisk::vhdx
