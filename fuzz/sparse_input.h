/// Fuzzer input as a sparse file: a small VHDX is 4 MiB of almost only zeros, and a fuzzer should
/// spend its bytes on what is not zero.
///
///     offset 0   u8      flags (bit 0: make the checksums right again after mutation)
///     offset 1   u56 LE  size of the file, bytes
///     offset 8   56 B    14 operations of 4 bytes, for the write phase (image_walk.h)
///     offset 64          pieces: u48 LE file offset, u16 LE length, bytes
///
/// Every byte string is a valid input: short ones read as if zeros followed, a piece may be cut by
/// the end, and what lies behind the size of the file is dropped.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "io/memory_file.h"

namespace vdisk::fuzz {

inline constexpr std::size_t operation_count = 14;

struct Operation {
  u8 kind = 0;
  u16 position = 0;  ///< in 1/65536 of the disk
  u8 sectors = 0;
};

struct SparseInput {
  bool repair_checksums = false;
  std::array<Operation, operation_count> operations{};
  std::shared_ptr<MemoryFile> file;
};

[[nodiscard]] SparseInput decode(std::span<const std::byte> input);
/// The shortest input that decodes to this; the file's size must be below 2^48.
[[nodiscard]] Result<std::vector<std::byte>> encode(const SparseInput& input);

}  // namespace vdisk::fuzz
