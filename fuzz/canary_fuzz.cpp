// Fuzz target with a planted bug: a footer whose field is believed. That the fuzzer finds it within
// seconds shows that fuzzer, coverage and sanitizer do work (fuzz/CMakeLists.txt expects it).
#include <array>
#include <cstring>
#include <memory>

#include "base/bytes.h"
#include "base/checksum.h"
#include "formats/vhd/footer.h"

namespace {

constexpr std::size_t copied = 64;

/// Copies from a place that the file names, without asking whether it lies inside.
int believe(std::span<const std::byte> file) {
  if (file.size() < vdisk::vhd::footer_size) return 0;
  const auto footer = vdisk::vhd::decode_footer(file.first<vdisk::vhd::footer_size>());
  if (std::memcmp(file.data(), "conectix", 8) != 0 || footer.disk_type != 3) return 0;
  const std::unique_ptr<std::byte[]> block(new std::byte[copied]());
  return footer.data_offset < 4 * copied ? std::to_integer<int>(block[footer.data_offset]) : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const int found = believe(std::as_bytes(std::span(data, size)));
  const volatile int kept = found;
  return kept - found;
}
