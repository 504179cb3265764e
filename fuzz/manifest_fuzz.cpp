// Fuzz target: a text of any content is taken for a manifest: what is taken is written and read
// again as the same.
#include <sstream>
#include <string>

#include "fuzz/promise.h"
#include "manifest_file.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace vdisk;
  std::istringstream text(std::string(data, data + size));
  const auto manifest = tool::parse_manifest(text, "input");
  if (!manifest) {
    fuzz::require(manifest.error().code == Errc::invalid_data, manifest.error().message);
    return 0;
  }
  std::stringstream written;
  tool::write_manifest(*manifest, [&](std::string_view part) { written << part; });
  const auto again = tool::parse_manifest(written, "written");
  fuzz::require_success(again, "what was written");
  fuzz::require(again->blocks == manifest->blocks && again->algorithm == manifest->algorithm &&
                    again->block_size == manifest->block_size &&
                    again->virtual_size == manifest->virtual_size,
                "another manifest after writing it");
  return 0;
}
