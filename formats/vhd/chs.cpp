/// The CHS algorithm, exactly as FORMATS 1.4 states it: the two tests of step 3 are sequential.
#include "formats/vhd/chs.h"

#include <algorithm>

#include "formats/vhd/structures.h"

namespace vdisk::vhd {

namespace {

constexpr u64 cylinder_limit = 1024;  ///< of the BIOS interface
constexpr u64 largest = u64{max_cylinders} * max_heads * max_sectors_per_track;
constexpr u64 smallest_of_255_sectors = u64{max_cylinders} * max_heads * 63;

struct Tracks {
  u64 count = 0;  ///< cylinders times heads
  u64 heads = 0;
  u64 sectors = 0;
};

Tracks small_disk_tracks(u64 total) {
  Tracks tracks{total / 17, 0, 17};
  tracks.heads = std::max<u64>(4, (tracks.count + cylinder_limit - 1) / cylinder_limit);
  if (tracks.count >= tracks.heads * cylinder_limit || tracks.heads > max_heads) {
    tracks = {total / 31, max_heads, 31};
  }
  if (tracks.count >= tracks.heads * cylinder_limit) tracks = {total / 63, max_heads, 63};
  return tracks;
}

}  // namespace

Chs chs_for_size(u64 virtual_size) noexcept {
  const u64 total = std::min(virtual_size / sector_size, largest);
  const Tracks tracks = total >= smallest_of_255_sectors ? Tracks{total / max_sectors_per_track,
                                                                  max_heads, max_sectors_per_track}
                                                         : small_disk_tracks(total);
  return {static_cast<u32>(tracks.count / tracks.heads), static_cast<u32>(tracks.heads),
          static_cast<u32>(tracks.sectors)};
}

u64 bytes_of_chs(const Chs& chs) noexcept {
  return u64{chs.cylinders} * chs.heads * chs.sectors * sector_size;
}

bool is_largest_chs(const Chs& chs) noexcept {
  return u64{chs.cylinders} * chs.heads * chs.sectors == largest;
}

}  // namespace vdisk::vhd
