/// Bytes in memory as the disk that partition tables are read from.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "base/bytes.h"
#include "partition/partition_table.h"

namespace vdisk::test {

/// `bytes` must outlive it. Reading behind the end fails the test.
inline partition::DiskBytes disk_of(const std::vector<std::byte>& bytes, u32 sector_size) {
  return {.size = bytes.size(),
          .sector_size = sector_size,
          .read = [&bytes](u64 offset, std::span<std::byte> out) {
            REQUIRE(lies_within(offset, out.size(), 0, bytes.size()));
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(),
                        out.begin());
            return Status();
          }};
}

}  // namespace vdisk::test
