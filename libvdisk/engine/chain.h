/// Opening an image together with its parents, leaf first.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "engine/layer.h"

namespace vdisk {

struct Chain {
  std::vector<Layer> layers;  ///< leaf first, never empty
  bool complete = true;       ///< false: the last layer has a parent that was not to be opened
  std::optional<Error> broken = {};  ///< why the parent of the last layer could not be opened
};

/// More layers than this are refused (FORMATS V37, X53).
inline constexpr std::size_t max_chain_depth = 256;

/// Opens the leaf as the options say and its parents read-only, their logs replayed in memory.
/// Errors: those of open_layer, parent_not_found, parent_mismatch, parent_access_denied,
/// parent_cycle, parent_size_mismatch, chain_too_deep.
Result<Chain> open_chain(const std::filesystem::path& path, const OpenOptions& options);
/// The same below a leaf that is open already.
Result<Chain> open_parents(Layer leaf, const OpenOptions& options);
/// The same as far as it goes: a parent that cannot be opened ends the chain, and is told in
/// `broken`. Errors: those of the leaf.
Result<Chain> open_reachable_chain(const std::filesystem::path& path, const OpenOptions& options);
/// The same below a leaf that is open already.
Result<Chain> open_reachable_parents(Layer leaf, const OpenOptions& options);

/// Whether one of these content ids is the parent's. All zeros is none: raw disks have it.
[[nodiscard]] bool accepts_any(const ParentLink& link, const std::vector<Guid>& parents);

/// Whether `parent` may be the parent of `child`, apart from its identity: sector sizes, and sizes
/// where the format limits them. A parent that the caller named may be larger.
Status check_parent_shape(const Layer& parent, const Layer& child, bool named_by_caller);

}  // namespace vdisk
