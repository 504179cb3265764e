/// Comparing the content of two open disks.
#pragma once

#include <functional>

#include "vdisk/operations.h"

namespace vdisk {

/// Told of every unit of 512 bytes that differs, by ascending offset; neighbours may come together.
using OnDifference = std::function<void(u64 offset, u64 length)>;

/// Without `on_difference` it ends at the first one. Comparison::ranges stays empty. Ranges that
/// both disks take from the same place of the same file are equal unread, and zeros cost nothing.
/// Advances the progress by the larger size.
Result<Comparison> compare_disks(const Disk& a, const Disk& b, const OnDifference& on_difference,
                                 Progress& progress);

}  // namespace vdisk
