/// Streams of bytes without a position: pipes, sockets, and whatever a caller makes of them.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "vdisk/error.h"

namespace vdisk {

/// Takes the next bytes, all of them; an error ends the operation that writes.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// Gives the next bytes; fewer than there is room for only at the end.
using ByteSource = std::function<Result<std::size_t>(std::span<std::byte>)>;

}  // namespace vdisk
