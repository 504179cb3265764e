/// Extents: what a map of an image consists of.
#pragma once

#include "vdisk/types.h"

#pragma GCC visibility push(default)
namespace vdisk {

/// What an image file says about a range of the guest's disk.
enum class State {
  data,    ///< the bytes are in this file
  zero,    ///< reads as zeros, whatever a parent holds
  absent,  ///< this file says nothing: ask the parent; without a parent it reads as zeros
};

/// A run of guest bytes in one state.
struct Extent {
  u64 offset = 0;  ///< guest offset, bytes
  u64 length = 0;  ///< bytes, > 0
  State state = State::absent;
  u64 file_offset = 0;  ///< where the bytes are in the file; meaningful for State::data only

  auto operator<=>(const Extent&) const = default;
};

/// A hole of a host file: a range that reads as zeros and takes no space.
struct Hole {
  u64 offset = 0;
  u64 length = 0;  ///< 0: there is no hole at or after the offset asked for
};

}  // namespace vdisk
#pragma GCC visibility pop
