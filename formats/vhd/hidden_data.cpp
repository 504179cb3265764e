#include "formats/vhd/hidden_data.h"

#include <vector>

#include "base/try.h"
#include "formats/hole_probe.h"
#include "formats/vhd/sector_bits.h"

namespace vdisk::vhd {

Result<std::optional<u64>> find_hidden_data(const File& file, const BlockShape& shape, u64 place) {
  std::vector<std::byte> bitmap(shape.bitmap_bytes);
  VDISK_TRY(file.read_at(place, bitmap));
  const u64 sectors = shape.block_size / sector_size;
  for (u64 sector = 0; sector < sectors;) {
    const u64 run = run_of_equal_bits(bitmap, {sector, sectors - sector});
    if (!bit_at(bitmap, sector)) {
      const u64 data = place + shape.bitmap_bytes + sector * sector_size;
      VDISK_ASSIGN(const bool zeros, reads_as_zeros(file, data, run * sector_size));
      if (!zeros) return std::optional(data);
    }
    sector += run;
  }
  return std::optional<u64>{};
}

}  // namespace vdisk::vhd
