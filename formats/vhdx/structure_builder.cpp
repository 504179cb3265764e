#include "formats/vhdx/structure_builder.h"

#include <fmt/format.h>

namespace vdisk::vhdx {

std::string StructureBuilder::hex_text(u64 value) {
  return fmt::format("{:#x}", value);
}

std::string StructureBuilder::signature_text(std::span<const char> bytes) {
  std::string text;
  for (const char letter : bytes) text.push_back(letter >= ' ' && letter <= '~' ? letter : '.');
  return text;
}

}  // namespace vdisk::vhdx
