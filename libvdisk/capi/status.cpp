/// The numbers of the C interface are those of Errc, for ever: new causes are added at its end.
#include "capi/status.h"

#include <bit>

#include "vdisk/version.h"

namespace vdisk::capi {

namespace {

constexpr int number(Errc code) {
  return static_cast<int>(code);
}

static_assert(number(Errc::success) == VDISK_SUCCESS);
static_assert(number(Errc::file_not_found) == VDISK_FILE_NOT_FOUND);
static_assert(number(Errc::path_not_found) == VDISK_PATH_NOT_FOUND);
static_assert(number(Errc::access_denied) == VDISK_ACCESS_DENIED);
static_assert(number(Errc::invalid_handle) == VDISK_INVALID_HANDLE);
static_assert(number(Errc::no_memory) == VDISK_NO_MEMORY);
static_assert(number(Errc::invalid_data) == VDISK_INVALID_DATA);
static_assert(number(Errc::write_protected) == VDISK_WRITE_PROTECTED);
static_assert(number(Errc::busy) == VDISK_BUSY);
static_assert(number(Errc::end_of_file) == VDISK_END_OF_FILE);
static_assert(number(Errc::unsupported) == VDISK_UNSUPPORTED);
static_assert(number(Errc::file_exists) == VDISK_FILE_EXISTS);
static_assert(number(Errc::invalid_argument) == VDISK_INVALID_ARGUMENT);
static_assert(number(Errc::no_space) == VDISK_NO_SPACE);
static_assert(number(Errc::buffer_too_small) == VDISK_BUFFER_TOO_SMALL);
static_assert(number(Errc::bad_path) == VDISK_BAD_PATH);
static_assert(number(Errc::operation_in_progress) == VDISK_OPERATION_IN_PROGRESS);
static_assert(number(Errc::already_exists) == VDISK_ALREADY_EXISTS);
static_assert(number(Errc::more_data) == VDISK_MORE_DATA);
static_assert(number(Errc::timed_out) == VDISK_TIMED_OUT);
static_assert(number(Errc::file_system_limit) == VDISK_FILE_SYSTEM_LIMIT);
static_assert(number(Errc::canceled) == VDISK_CANCELED);
static_assert(number(Errc::already_canceled) == VDISK_ALREADY_CANCELED);
static_assert(number(Errc::too_late) == VDISK_TOO_LATE);
static_assert(number(Errc::incomplete) == VDISK_INCOMPLETE);
static_assert(number(Errc::pending) == VDISK_PENDING);
static_assert(number(Errc::not_found) == VDISK_NOT_FOUND);
static_assert(number(Errc::corrupt) == VDISK_CORRUPT);
static_assert(number(Errc::footer_missing) == VDISK_FOOTER_MISSING);
static_assert(number(Errc::footer_checksum) == VDISK_FOOTER_CHECKSUM);
static_assert(number(Errc::footer_invalid) == VDISK_FOOTER_INVALID);
static_assert(number(Errc::not_image) == VDISK_NOT_IMAGE);
static_assert(number(Errc::unsupported_version) == VDISK_UNSUPPORTED_VERSION);
static_assert(number(Errc::header_checksum) == VDISK_HEADER_CHECKSUM);
static_assert(number(Errc::header_unsupported_version) == VDISK_HEADER_UNSUPPORTED_VERSION);
static_assert(number(Errc::header_invalid) == VDISK_HEADER_INVALID);
static_assert(number(Errc::block_allocation_failed) == VDISK_BLOCK_ALLOCATION_FAILED);
static_assert(number(Errc::bat_invalid) == VDISK_BAT_INVALID);
static_assert(number(Errc::block_size_invalid) == VDISK_BLOCK_SIZE_INVALID);
static_assert(number(Errc::bitmap_mismatch) == VDISK_BITMAP_MISMATCH);
static_assert(number(Errc::parent_not_found) == VDISK_PARENT_NOT_FOUND);
static_assert(number(Errc::parent_mismatch) == VDISK_PARENT_MISMATCH);
static_assert(number(Errc::parent_time_mismatch) == VDISK_PARENT_TIME_MISMATCH);
static_assert(number(Errc::metadata_read_failed) == VDISK_METADATA_READ_FAILED);
static_assert(number(Errc::metadata_write_failed) == VDISK_METADATA_WRITE_FAILED);
static_assert(number(Errc::virtual_size_invalid) == VDISK_VIRTUAL_SIZE_INVALID);
static_assert(number(Errc::file_size_invalid) == VDISK_FILE_SIZE_INVALID);
static_assert(number(Errc::no_provider) == VDISK_NO_PROVIDER);
static_assert(number(Errc::not_virtual_disk) == VDISK_NOT_VIRTUAL_DISK);
static_assert(number(Errc::parent_access_denied) == VDISK_PARENT_ACCESS_DENIED);
static_assert(number(Errc::parent_size_mismatch) == VDISK_PARENT_SIZE_MISMATCH);
static_assert(number(Errc::parent_cycle) == VDISK_PARENT_CYCLE);
static_assert(number(Errc::ancestor_failed) == VDISK_ANCESTOR_FAILED);
static_assert(number(Errc::host_file_unsuitable) == VDISK_HOST_FILE_UNSUITABLE);
static_assert(number(Errc::wrong_disk_kind) == VDISK_WRONG_DISK_KIND);
static_assert(number(Errc::wrong_state) == VDISK_WRONG_STATE);
static_assert(number(Errc::host_sector_size_unsupported) == VDISK_HOST_SECTOR_SIZE_UNSUPPORTED);
static_assert(number(Errc::source_owned) == VDISK_SOURCE_OWNED);
static_assert(number(Errc::source_online) == VDISK_SOURCE_ONLINE);
static_assert(number(Errc::tracking_not_initialised) == VDISK_TRACKING_NOT_INITIALISED);
static_assert(number(Errc::tracking_overflow) == VDISK_TRACKING_OVERFLOW);
static_assert(number(Errc::tracking_invalidated) == VDISK_TRACKING_INVALIDATED);
static_assert(number(Errc::tracking_wrong_state) == VDISK_TRACKING_WRONG_STATE);
static_assert(number(Errc::tracking_inconsistent) == VDISK_TRACKING_INCONSISTENT);
static_assert(number(Errc::shrink_would_cut_partition) == VDISK_SHRINK_WOULD_CUT_PARTITION);
static_assert(number(Errc::smallest_size_unknown) == VDISK_SMALLEST_SIZE_UNKNOWN);
static_assert(number(Errc::cannot_shrink) == VDISK_CANNOT_SHRINK);
static_assert(number(Errc::metadata_full) == VDISK_METADATA_FULL);
static_assert(number(Errc::tracking_id_malformed) == VDISK_TRACKING_ID_MALFORMED);
static_assert(number(Errc::tracking_off) == VDISK_TRACKING_OFF);
static_assert(number(Errc::tracking_id_unknown) == VDISK_TRACKING_ID_UNKNOWN);
static_assert(number(Errc::disk_id_mismatch) == VDISK_DISK_ID_MISMATCH);
static_assert(number(Errc::io) == VDISK_IO);
static_assert(number(Errc::poisoned) == VDISK_POISONED);
static_assert(number(Errc::limit) == VDISK_LIMIT);
static_assert(number(Errc::not_regular) == VDISK_NOT_REGULAR);
static_assert(number(Errc::same_file) == VDISK_SAME_FILE);
static_assert(number(Errc::format_mismatch) == VDISK_FORMAT_MISMATCH);
static_assert(number(Errc::ambiguous_format) == VDISK_AMBIGUOUS_FORMAT);
static_assert(number(Errc::has_children) == VDISK_HAS_CHILDREN);
static_assert(number(Errc::needs_replay) == VDISK_NEEDS_REPLAY);
static_assert(number(Errc::chain_too_deep) == VDISK_CHAIN_TOO_DEEP);
static_assert(number(Errc::internal) == VDISK_INTERNAL);
constexpr int last_number = number(Errc::internal);

/// Errc::internal for a number that no cause has. A caller in C may pass any, which C++ must not
/// even look at as a vdisk_status: it is taken by its bytes.
Errc errc_of(const vdisk_status& status) {
  const int value = std::bit_cast<int>(status);
  return value >= 0 && value <= last_number ? static_cast<Errc>(value) : Errc::internal;
}

}  // namespace

vdisk_status status_of(Errc code) {
  return static_cast<vdisk_status>(code);
}

}  // namespace vdisk::capi

using vdisk::capi::errc_of;

// The names in the table are literals: they end with a zero byte.
const char* vdisk_status_name(vdisk_status status) {
  return vdisk::name(errc_of(status)).data();
}
const char* vdisk_status_describe(vdisk_status status) {
  return vdisk::describe(errc_of(status)).data();
}
const char* vdisk_status_kind(vdisk_status status) {
  return vdisk::name(vdisk::kind(errc_of(status))).data();
}
uint32_t vdisk_status_win32(vdisk_status status) {
  return vdisk::win32_code(errc_of(status));
}
uint32_t vdisk_status_hresult(vdisk_status status) {
  return vdisk::hresult(errc_of(status));
}
uint32_t vdisk_status_vds(vdisk_status status) {
  return vdisk::vds_code(errc_of(status));
}

const char* vdisk_version() {
  return vdisk::version().data();
}
uint32_t vdisk_abi() {
  return VDISK_ABI;
}
