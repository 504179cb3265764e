/// Structures that begin with their size: older and newer callers, one library.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "vdisk/error.h"

namespace vdisk::capi {

/// No structure is larger: a field of garbage is no size.
inline constexpr std::size_t largest_structure = 4096;

inline Status check_size(std::size_t size) {
  if (size >= sizeof(std::size_t) && size <= largest_structure) return {};
  return fail(Errc::invalid_argument,
              "struct_size: " + std::to_string(size) + ", expected the size of the structure");
}

/// What the caller gave, in the shape that this library knows: fields that the caller does not know
/// are 0; fields that this library does not know must be 0. Null: everything is 0.
template <class Structure>
Result<Structure> take(const Structure* given) {
  Structure known{};
  if (given == nullptr) return known;
  const std::size_t size = given->struct_size;
  if (auto sound = check_size(size); !sound) return std::unexpected(std::move(sound).error());
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

/// The same the other way: fills as much as the caller knows, and what only he knows with zeros.
template <class Structure>
Status give(const Structure& known, Structure* wanted) {
  if (wanted == nullptr) return fail(Errc::invalid_argument, "no structure to fill is given");
  const std::size_t size = wanted->struct_size;
  if (auto sound = check_size(size); !sound) return sound;
  std::memset(static_cast<void*>(wanted), 0, size);
  std::memcpy(static_cast<void*>(wanted), &known, std::min(size, sizeof(Structure)));
  wanted->struct_size = size;
  return {};
}

}  // namespace vdisk::capi
