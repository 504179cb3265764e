/// vdisk_error: an error with its text, owned by the caller.
#include "capi/status.h"

struct vdisk_error {
  vdisk::Error error;
};

namespace vdisk::capi {

namespace {

/// Handed out when there is no memory for another; never freed.
vdisk_error& no_memory() {
  static vdisk_error error{{Errc::no_memory, {}}};
  return error;
}

}  // namespace

vdisk_status report(Error error, vdisk_error** target) noexcept {
  const auto status = status_of(error.code);
  if (target == nullptr) return status;
  *target = new (std::nothrow) vdisk_error{std::move(error)};
  return *target == nullptr ? report_no_memory(target) : status;
}

vdisk_status report_no_memory(vdisk_error** target) noexcept {
  if (target != nullptr) *target = &no_memory();
  return VDISK_NO_MEMORY;
}

}  // namespace vdisk::capi

vdisk_status vdisk_error_status(const vdisk_error* error) {
  return error == nullptr ? VDISK_SUCCESS : vdisk::capi::status_of(error->error.code);
}

const char* vdisk_error_message(const vdisk_error* error) {
  if (error == nullptr) return "";
  if (error->error.message.empty()) return vdisk::describe(error->error.code).data();
  return error->error.message.c_str();
}

int vdisk_error_os_error(const vdisk_error* error) {
  return error == nullptr ? 0 : error->error.os_error;
}

int vdisk_error_offset(const vdisk_error* error, uint64_t* offset) {
  if (error == nullptr || !error->error.offset) return 0;
  if (offset != nullptr) *offset = *error->error.offset;
  return 1;
}

void vdisk_error_free(vdisk_error* error) {
  if (error != &vdisk::capi::no_memory()) delete error;
}
