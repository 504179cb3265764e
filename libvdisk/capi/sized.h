/// Structures that begin with their size: older and newer callers, one library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "vdisk/error.h"

namespace vdisk::capi {

/// What the caller gave, in the shape that this library knows: fields that the caller does not know
/// are 0; fields that this library does not know must be 0. Null: everything is 0.
template <class Structure>
Result<Structure> take(const Structure* given) {
  Structure known{};
  if (given == nullptr) return known;
  const std::size_t size = given->struct_size;
  constexpr std::size_t largest = 4096;  // a field of garbage is no size
  if (size < sizeof(std::size_t) || size > largest) {
    return fail(Errc::invalid_argument,
                "struct_size: " + std::to_string(size) + ", expected the size of the structure");
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  const bool unknown_set =
      size > sizeof(Structure) && std::any_of(bytes + sizeof(Structure), bytes + size,
                                              [](unsigned char byte) { return byte != 0; });
  if (unknown_set) {
    return fail(Errc::unsupported, "an option that this version of the library does not know");
  }
  std::memcpy(&known, given, std::min(size, sizeof(Structure)));
  known.struct_size = sizeof(Structure);
  return known;
}

/// The same the other way: fills as much as the caller knows.
template <class Structure>
Status give(const Structure& known, Structure* wanted) {
  if (wanted == nullptr) return fail(Errc::invalid_argument, "no structure to fill is given");
  const std::size_t size = wanted->struct_size;
  if (size < sizeof(std::size_t)) {
    return fail(Errc::invalid_argument, "struct_size: too small for any structure");
  }
  std::memcpy(wanted, &known, std::min(size, sizeof(Structure)));
  wanted->struct_size = size;
  return {};
}

}  // namespace vdisk::capi
