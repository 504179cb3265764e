/// Which broken structures of a file can be put right from what is still sound. Check tells it,
/// repair does it.
#pragma once

#include "formats/vhd/layout.h"

namespace vdisk::vhd {

struct Remedies {
  bool footers = false;          ///< V2, V3, V16: as layout.repair says
  bool header_checksum = false;  ///< V18: everything that the header says is confirmed elsewhere
  bool blocks = false;           ///< the file can be written afterwards

  /// Also takes the promise of a repair from violations of which nothing will come.
  [[nodiscard]] static Result<Remedies> plan(const File& file, Survey& survey);
};

}  // namespace vdisk::vhd
