/// Where exceptions end: no public function lets one through. Memory runs out, and a File or a
/// callback of the caller may throw.
#pragma once

#include "vdisk/error.h"

namespace vdisk {

/// The exception that is being handled: no_memory for bad_alloc, else internal. For `catch (...)`.
[[nodiscard]] std::unexpected<Error> error_of_exception() noexcept;

}  // namespace vdisk
