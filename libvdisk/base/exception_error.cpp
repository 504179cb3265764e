#include "base/exception_error.h"

#include <exception>
#include <new>

#include <fmt/format.h>

namespace vdisk {

namespace {

/// The text needs memory; without memory the code alone has to do.
std::unexpected<Error> internal_error(const char* what) noexcept {
  try {
    return fail(Errc::internal, fmt::format("unexpected exception: {}", what));
  } catch (...) {
    return fail(Errc::internal, {});
  }
}

}  // namespace

std::unexpected<Error> error_of_exception() noexcept {
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    return fail(Errc::no_memory, "out of memory");  // short enough to need none
  } catch (const std::exception& exception) {
    return internal_error(exception.what());
  } catch (...) {
    return internal_error("of an unknown type");
  }
}

}  // namespace vdisk
