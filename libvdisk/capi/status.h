/// Errors on their way to C: numbers, texts, and no exception.
#pragma once

#include <new>

#include "vdisk.h"
#include "vdisk/error.h"

namespace vdisk::capi {

[[nodiscard]] vdisk_status status_of(Errc code);

/// Gives the error to the caller, if wanted; its number.
vdisk_status report(Error error, vdisk_error** target) noexcept;
/// The same when there is no memory for a text.
vdisk_status report_no_memory(vdisk_error** target) noexcept;

/// Runs `body`, which returns a Status, as the inside of a function of the C interface.
template <class Body>
vdisk_status guarded(vdisk_error** target, Body body) noexcept {
  try {
    auto status = body();
    return status ? VDISK_SUCCESS : report(std::move(status).error(), target);
  } catch (const std::bad_alloc&) {
    return report_no_memory(target);
  } catch (...) {
    return report({Errc::internal, "an exception that nobody expected"}, target);
  }
}

}  // namespace vdisk::capi
