#include "fuzz/sparse_input.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/try.h"
#include "fuzz/byte_reader.h"

namespace vdisk::fuzz {

namespace {

constexpr std::size_t flags_size = 1;
constexpr std::size_t size_size = 7;
constexpr std::size_t operation_size = 4;
constexpr std::size_t offset_size = 6;
constexpr std::size_t length_size = 2;
constexpr std::size_t largest_piece = 0xffff;
/// Runs of zeros shorter than this are cheaper stored than skipped.
constexpr std::size_t grain = 16;
constexpr std::size_t window = 64 * kib;

void append_number(std::vector<std::byte>& out, u64 value, std::size_t size) {
  for (std::size_t index = 0; index < size; ++index) {
    out.push_back(static_cast<std::byte>(value >> (8 * index)));
  }
}

void append_piece(std::vector<std::byte>& out, u64 offset, std::span<const std::byte> data) {
  append_number(out, offset, offset_size);
  append_number(out, data.size(), length_size);
  out.insert(out.end(), data.begin(), data.end());
}

/// Bytes from the front that are zero, counted in whole grains.
std::size_t leading_zeros(std::span<const std::byte> data) {
  std::size_t count = 0;
  while (count < data.size() &&
         is_zero(data.subspan(count, std::min(grain, data.size() - count)))) {
    count = std::min(count + grain, data.size());
  }
  return count;
}

/// Bytes up to the next grain of zeros.
std::size_t leading_data(std::span<const std::byte> data) {
  std::size_t count = 0;
  while (count < data.size() &&
         !is_zero(data.subspan(count, std::min(grain, data.size() - count)))) {
    count = std::min(count + grain, data.size());
  }
  return std::min(count, largest_piece);
}

void append_window(std::vector<std::byte>& out, u64 offset, std::span<const std::byte> data) {
  while (!data.empty()) {
    const std::size_t zeros = leading_zeros(data);
    data = data.subspan(zeros);
    offset += zeros;
    const std::size_t length = leading_data(data);
    if (length != 0) append_piece(out, offset, data.first(length));
    data = data.subspan(length);
    offset += length;
  }
}

}  // namespace

SparseInput decode(std::span<const std::byte> input) {
  ByteReader reader(input);
  SparseInput decoded;
  decoded.repair_checksums = (reader.number(flags_size) & 1) != 0;
  const u64 size = reader.number(size_size);
  for (Operation& operation : decoded.operations) {
    operation.kind = static_cast<u8>(reader.number(1));
    operation.position = static_cast<u16>(reader.number(2));
    operation.sectors = static_cast<u8>(reader.number(1));
  }
  decoded.file = std::make_shared<MemoryFile>();
  (void)decoded.file->resize(size);
  while (!reader.at_end()) {
    const u64 offset = reader.number(offset_size);
    const auto data = reader.bytes(reader.number(length_size));
    if (offset >= size) continue;
    (void)decoded.file->write_at(offset, data.first(std::min<u64>(data.size(), size - offset)));
  }
  return decoded;
}

Result<std::vector<std::byte>> encode(const SparseInput& input) {
  VDISK_ASSIGN(const u64 size, input.file->size());
  std::vector<std::byte> out;
  append_number(out, input.repair_checksums ? 1 : 0, flags_size);
  append_number(out, size, size_size);
  for (const Operation& operation : input.operations) {
    append_number(out, operation.kind, 1);
    append_number(out, operation.position, 2);
    append_number(out, operation.sectors, operation_size - 3);
  }
  std::vector<std::byte> buffer(window);
  for (u64 offset = 0; offset < size; offset += window) {
    const auto piece = std::span(buffer).first(std::min<u64>(window, size - offset));
    VDISK_TRY(input.file->read_at(offset, piece));
    append_window(out, offset, piece);
  }
  return out;
}

}  // namespace vdisk::fuzz
